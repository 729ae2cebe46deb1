"""`arfc serve` as a process: keys from the environment, what it refuses, and a stop that loses nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

import arfc as package

MARK = "zebra-marker"


class SlowUpstream(BaseHTTPRequestHandler):
    """Answers once it is let go, with a row of ones."""

    came, let_go, keys = threading.Event(), threading.Event(), []

    def do_POST(self):  # noqa: N802
        self.rfile.read(int(self.headers["content-length"]))
        self.keys.append(self.headers["authorization"])
        self.came.set()
        self.let_go.wait(20)
        answer = {"data": [{"index": 0, "embedding": [1.0] * 24}], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *what):
        pass


@pytest.fixture
def upstream():
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowUpstream)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    SlowUpstream.let_go.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_what_is_under_way_is_finished_and_keys_are_not_logged(fitted, upstream, tmp_path):
    environment = os.environ | {
        "PYTHONPATH": str(Path(package.__file__).parents[1]),
        "OUR_KEY": f"ours-{MARK}",
        "THEIR_KEY": f"theirs-{MARK}",
    }
    words = f"-m {fitted.model} --upstream {upstream} --name made --port 0 --no-page"
    words += " --api-key-env OUR_KEY --upstream-key-env THEIR_KEY"
    log = tmp_path / "log"
    with log.open("w") as stream:
        command = [sys.executable, "-B", "-c", "from arfc.cli import main; main()", "serve", *words.split()]
        process = subprocess.Popen(command, env=environment, stderr=stream)
    try:
        line = wait_for_line(log, process)
        answers = []

        def ask():
            headers = {"authorization": f"Bearer ours-{MARK}"}
            asked = {"model": "made", "input": MARK, "dimensions": 3}
            answers.append(httpx.post(f"{line['url']}/v1/embeddings", json=asked, headers=headers, timeout=30))

        asking = threading.Thread(target=ask)
        asking.start()
        assert SlowUpstream.came.wait(20)
        process.send_signal(signal.SIGTERM)
        wait_until_refused(line["url"])
        assert process.poll() is None
        SlowUpstream.let_go.set()
        asking.join()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert answers[0].status_code == 200
    assert len(answers[0].json()["data"][0]["embedding"]) == 3
    assert SlowUpstream.keys == [f"Bearer theirs-{MARK}"]
    text = log.read_text()
    assert MARK not in text
    events = [json.loads(one) for one in text.splitlines()]
    assert [one["event"] for one in events] == ["listening", "request", "stopped"]
    assert (events[1]["status"], events[1]["dims"]) == (200, 3)


def wait_for_line(log, process):
    """Return the line that says where the server listens."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text().splitlines():
            if json.loads(line)["event"] == "listening":
                return json.loads(line)
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def wait_until_refused(url):
    address = httpx.URL(url)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection((address.host, address.port)).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.02)
    raise AssertionError("the server still takes connections")


def test_what_makes_no_sense_is_refused(refused, fitted, monkeypatch, tmp_path):
    model = ("serve", "-m", fitted.model)
    url = ("--upstream", "http://127.0.0.1:9/v1", "--name", "made")
    refused(*model, match="exactly one of --upstream and --encoder must be given, got none; see arfc serve --help")
    refused(*model, *url, "--encoder", "e", match="exactly one of --upstream and --encoder must be given, got both")
    refused(*model, "--encoder", "e", "--upstream-key-env", "K", match="--upstream-key-env must come with --upstream")
    refused(*model, *url, "--truncate", match="--truncate must come with --encoder")
    refused(*model, *url, "--no-page", "--corpus", "c", match="--corpus must come without --no-page")
    refused(*model, *url, "--corpus", "nowhere.txt", match="corpus must be an existing file, got nowhere")
    refused(*model, "--upstream", "localhost", match="upstream must be an address such as")
    refused(*model, *url, "--max-inputs", "0", match="max_inputs must be a whole number of at least 1, got 0")
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    refused(*model, *url, "--api-key-env", "NO_SUCH_KEY", match="NO_SUCH_KEY must hold a key, it is empty or not set")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused(*model, *url, "--port", port, match=f"port {port} must be free to listen on")


def test_limits_have_their_defaults_in_the_help(arfc):
    text = " ".join(arfc("serve", "--help").stdout.split())
    assert "Inputs that a request may hold. [default: 2048]" in text
    assert "[default: 127.0.0.1]" in text
