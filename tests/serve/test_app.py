"""What is refused, and how: every error in OpenAI's form; keys, limits, metrics, health."""

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest

from arfc.serve.app import make_app
from arfc.serve.batching import Batcher
from arfc.serve.config import ServeConfig
from arfc.serve.metrics import Metrics

MARK = "zebra-marker"


@pytest.fixture(scope="module")
def url(running, local_app):
    with running(local_app(max_body_bytes=4000, max_inputs=5, max_characters=100)) as address:
        yield address


@pytest.mark.parametrize("dims", [0, -3, 25, 10**30])
def test_sizes_that_do_not_exist(url, refused, dims):
    message = refused(url, 400, "invalid_value", param="dimensions", model="small", input="a", dimensions=dims)
    assert message == f"dimensions must be a whole number between 1 and 24, got {dims}"


@pytest.mark.parametrize("dims", ["8", 8.0, 8.5, True, [8], {}])
def test_sizes_that_are_no_whole_number(url, refused, dims):
    message = refused(url, 400, "invalid_type", param="dimensions", model="small", input="a", dimensions=dims)
    assert message == "dimensions must be a whole number between 1 and 24"


def test_no_size_is_the_full_width(url, ask):
    for given in ({}, {"dimensions": None}, {"dimensions": 24, "encoding_format": None}):
        assert len(ask(url, model="small", input="a", **given).json()["data"][0]["embedding"]) == 24


def test_unknown_model(url, refused):
    message = refused(url, 404, "model_not_found", param="model", model="other", input="a")
    assert message == "this model does not exist here; the one that is served is 'small'"


@pytest.mark.parametrize(
    ("given", "match"), [("", "input"), ([], "input"), (["a", ""], "input 1 is"), ([[1], []], "input 1")]
)
def test_empty_input(url, refused, given, match):
    assert match in refused(url, 400, "empty_input", param="input", model="small", input=given)


@pytest.mark.parametrize("given", [3, None, {"a": 1}, [1, "a"], ["a", 1], [[1], "a"], [[["a"]]], [True]])
def test_input_of_no_known_form(url, refused, given):
    message = refused(url, 400, "invalid_type", param="input", model="small", input=given)
    assert message == "input must be a string, a list of strings, or token ids"


@pytest.mark.parametrize("given", [[1, 2], [[1], [2, 3]]])
def test_token_ids(url, refused, given):
    refused(url, 400, "token_ids_not_supported", param="input", model="small", input=given)


@pytest.mark.parametrize("form", ["int8", "", 3, ["float"]])
def test_unsupported_encoding_format(url, refused, form):
    asked = {"model": "small", "input": "a", "encoding_format": form}
    message = refused(url, 400, "invalid_value", param="encoding_format", **asked)
    assert message == 'encoding_format must be "float" or "base64"'


@pytest.mark.parametrize("missing", ["model", "input"])
def test_what_must_be_given(url, refused, missing):
    asked = {"model": "small", "input": "a"}
    del asked[missing]
    assert refused(url, 400, "missing_required_parameter", param=missing, **asked) == f"{missing} must be given"


def test_fields_that_nobody_knows(url, refused, ask):
    refused(url, 400, "unknown_parameter", param="truncate", model="small", input="a", truncate=True)
    assert ask(url, model="small", input="a", user="me").status_code == 200


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"a"', b"\xff", b'{"model":"small","input":"\\ud800"}'])
def test_bodies_that_are_no_json_object(url, refused, raw):
    refused(url, 400, "invalid_json", raw=raw)


def test_content_type_must_be_json(url):
    response = httpx.post(f"{url}/v1/embeddings", content=b'{"model":"small","input":"a"}')
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_too_large_a_body(url, refused):
    message = refused(url, 413, "body_too_large", raw=b" " * 4001)
    assert message == "a request must take at most 4,000 bytes; send fewer inputs at once"
    refused(url, 413, "body_too_large", raw=b" " * 31_000)


def test_too_many_inputs(url, refused):
    message = refused(url, 400, "too_many_inputs", param="input", model="small", input=["a"] * 6)
    assert message == "input must hold at most 5 inputs, got 6"


def test_too_many_characters(url, refused):
    message = refused(url, 400, "input_too_long", param="input", model="small", input=["a", "a" * 101])
    assert message == "an input must hold at most 100 characters, input 1 holds 101"


def test_paths_and_methods(url, refused):
    refused(url, 404, "unknown_url", path="/v1/chat/completions", model="small")
    refused(url, 405, "method_not_allowed", path="/v1/models")


def test_a_request_that_does_not_come_in(served, local_app):
    address = urlsplit(served(local_app(body_timeout_s=0.2)))
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = (
            b"POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
        )
        connection.sendall(head)
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert (response.status, json.loads(response.read())["error"]["code"]) == (408, "body_timeout")


def test_a_wrong_key(served, local_app, ask, refused):
    url = served(local_app(api_key="right-key"))
    for key in (None, "right-ke", "right-key2", "Right-key"):
        message = refused(url, 401, "invalid_api_key", key=key, model="small", input="a")
        assert message == "the API key is missing or wrong; send it as Authorization: Bearer KEY"
    for path in ("/v1/models", "/v1/models/small"):
        assert httpx.get(f"{url}{path}").status_code == 401
    assert ask(url, key="right-key", model="small", input="a").status_code == 200
    basic = {"authorization": "Basic right-key"}
    assert httpx.get(f"{url}/v1/models", headers=basic).status_code == 401
    assert httpx.get(f"{url}/v1/models", headers=basic).headers["www-authenticate"] == "Bearer"
    assert httpx.get(f"{url}/healthz").status_code == 200


class Failing:
    """An encoder that fails in the middle of its work, with the text in the message."""

    name, width, takes_keys = "failing", 24, False

    def __init__(self):
        self.batcher = Batcher(self.apply, batch_inputs=4, max_waiting=10)

    def apply(self, inputs, dims):
        raise RuntimeError(f"could not read {inputs[0]}")

    async def start(self):
        await self.batcher.start()

    async def close(self):
        await self.batcher.close()

    async def embed(self, asked, credentials):
        return await self.batcher.submit(asked.inputs, dims=asked.dims)


def test_our_own_failure_is_answered_and_logged_without_the_text(served, refused, log, lines):
    url = served(make_app(Failing(), ServeConfig(port=0), Metrics()))
    message = refused(url, 500, "server_error", kind="server_error", model="failing", input=MARK)
    (line,) = lines("failed")
    assert line["request_id"] in message
    assert line["exception"] == "RuntimeError"
    assert any(frame.startswith("test_app.py") and frame.endswith("apply") for frame in line["at"])
    assert MARK not in log()


def test_a_key_may_hold_any_letter(served, local_app):
    url = served(local_app(api_key="schlüssel"))
    for key, status in (("schlüssel", 200), ("schlussel", 401)):
        response = httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {key}".encode()})
        assert response.status_code == status


def test_health_and_metrics(served, local_app, ask):
    url = served(local_app())
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok", "model": "small", "dimensions": 24}
    ask(url, model="small", input=["a", "b"])
    ask(url, model="small", input=[])
    httpx.get(f"{url}/{MARK}")
    response = httpx.get(f"{url}/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'arfc_requests_total{path="/v1/embeddings",status="200"} 1.0',
        'arfc_requests_total{path="/v1/embeddings",status="400"} 1.0',
        'arfc_requests_total{path="other",status="404"} 1.0',
        "arfc_inputs_total 2.0",
        "arfc_batch_inputs_sum 2.0",
        "arfc_requests_under_way 0.0",
        "arfc_waiting_inputs 0.0",
    ):
        assert line in response.text.splitlines()
    assert MARK not in response.text


def test_more_requests_than_there_is_room_for(served, plain, upstream_app, ask, until):
    plain.let_go.clear()
    url = served(upstream_app(f"{served(plain.app)}/v1", max_requests=2))
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(ask, url, model="small", input="a") for _ in range(2)]
        until(lambda: len(plain.seen) == 2)
        started = time.monotonic()
        response = ask(url, model="small", input="a")
        assert time.monotonic() - started < 5
        assert (response.status_code, response.headers["retry-after"]) == (429, "1")
        error = response.json()["error"]
        assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
        assert httpx.get(f"{url}/healthz").status_code == 200
        plain.let_go.set()
        assert [one.result().status_code for one in waiting] == [200, 200]
    assert ask(url, model="small", input="a").status_code == 200


def test_answers_have_length_one(url, ask):
    answer = ask(url, model="small", input=["a b c", "d"], dimensions=5).json()
    rows = np.array([one["embedding"] for one in answer["data"]])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
