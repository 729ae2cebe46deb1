"""docs/integrations/serve.md runs: its commands start servers, its Python asks them."""

import re
import shlex
import shutil
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import arfc.serve
from arfc.cli import app
from arfc.serve.run import Server

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "integrations" / "serve.md").read_text(encoding="utf-8")
SNIPPET = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def ports():
    """Free ports in the place of those of the page."""
    held = {}
    for port in ("8000", "8001", "8002"):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            held[port] = str(taken.getsockname()[1])
    return held


@pytest.fixture
def start(monkeypatch, log, until):
    """A function that runs `arfc serve WORDS` until the test ends."""
    servers, threads = [], []
    listen = Server.listen

    def seen(self):
        servers.append(self)
        listen(self)

    def run(words):
        before = len(servers)
        threads.append(threading.Thread(target=until_stopped, args=[words]))
        threads[-1].start()
        until(lambda: len(servers) > before and servers[-1].started, seconds=60)

    def until_stopped(words):
        with pytest.raises(SystemExit, match="0"):
            app.main(words)

    monkeypatch.setattr(Server, "listen", seen)
    yield run
    for server in servers:
        server.should_exit = True
    for thread in threads:
        thread.join()


def test_the_page_runs(tmp_path, monkeypatch, ports, start, small, small_folder, plain, served, clustered, until):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_folder, "encoder")
    np.save("features.npy", clustered(600, 24))
    # The page's upstream has a port of its own choice, ours take theirs from the page.
    ports["8001"] = served(plain.app).rpartition(":")[2]
    namespace, started = {"__name__": "__main__"}, []
    for language, text in SNIPPET.findall(PAGE):
        for port, free in ports.items():
            text = text.replace(port, free)
        if language == "python":
            exec(compile(text, "serve.md", "exec"), namespace)
            continue
        assert language == "sh"
        for words in map(shlex.split, text.splitlines()):
            if words[:2] == ["arfc", "serve"]:
                if "--port" not in words:
                    words += ["--port", ports["8000"]]  # which is the default's stand-in
                start(words[1:])
                started.append(words)
            elif words[0] == "arfc":
                done = CliRunner().invoke(app, words[1:])
                assert done.exit_code == 0, done.output
            else:
                assert words[:2] == ["pip", "install"]
    assert len(started) == 2
    for client in ("client", "local"):
        namespace[client].close()


def test_every_error_of_the_page_is_one_of_the_code_and_the_other_way_round():
    rows = re.findall(r"^\| (\d[\d, ]*) \| (.*?) \|", PAGE, re.MULTILINE)
    codes = {code for _, cell in rows for code in re.findall(r"`(\w+)`", cell)}
    source = "".join(path.read_text(encoding="utf-8") for path in Path(arfc.serve.__file__).parent.glob("*.py"))
    written = set(re.findall(r'code(?:: str)? ?= ?"(\w+)"', source)) | set(re.findall(r'\("(\w+)", "this path', source))
    # A caller can do nothing about these.
    assert codes == written - {"server_error", "zero_vector", "client_disconnected"}
