"""In front of another server: it is asked as it knows, and its failures become errors that say so."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from fastapi.responses import JSONResponse, Response

from arfc.errors import ConfigError, InputError
from arfc.serve.upstream import ask_name, check_url


@pytest.fixture
def url(served, plain, upstream_app):
    return served(upstream_app(f"{served(plain.app)}/v1"))


def test_dimensions_work_where_they_were_refused(served, plain, url, ask, small, fitted_model):
    refusal = ask(served(plain.app), model="small", input="a", dimensions=8)
    assert (refusal.status_code, refusal.json()["code"]) == (400, 400)
    plain.seen.clear()
    texts = ["a text", "another one", "and a third"]
    answer = ask(url, model="small", input=texts, dimensions=8).json()
    vectors = fitted_model.compress(small.encode(texts, show_progress_bar=False), dims=8)
    expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.array_equal(np.array([one["embedding"] for one in answer["data"]], dtype=np.float32), expected)
    assert answer["usage"] == {"prompt_tokens": 7, "total_tokens": 7, "cost": 1}
    ((_, body),) = plain.seen
    assert body == {"model": "small", "input": texts, "encoding_format": "base64"}


def test_token_ids_and_fields_of_the_upstream_are_passed_on(plain, url, ask):
    for given in ([5, 6], [[5, 6], [7]]):
        answer = ask(url, model="small", input=given, dimensions=4, truncate_prompt_tokens=9, user="me").json()
        _, body = plain.seen.pop()
        assert body["input"] == (given if isinstance(given[0], list) else [given])
        assert (body["truncate_prompt_tokens"], body["user"]) == (9, "me")
        assert len(answer["data"]) == len(body["input"])


def test_an_upstream_that_sends_lists_anyway(plain, url, ask):
    expected = ask(url, model="small", input=["a", "b"], dimensions=6).json()["data"]
    plain.packed = lambda row, form: row.tolist()
    assert ask(url, model="small", input=["a", "b"], dimensions=6).json()["data"] == expected


def test_the_callers_key_is_passed_on(plain, url, ask):
    ask(url, key="caller-key", model="small", input="a")
    assert plain.seen[-1][0]["authorization"] == "Bearer caller-key"
    ask(url, model="small", input="a")
    assert "authorization" not in plain.seen[-1][0]


def test_the_upstreams_key_is_used_in_its_place(served, plain, upstream_app, ask):
    url = served(upstream_app(f"{served(plain.app)}/v1", key="upstream-key"))
    ask(url, key="caller-key", model="small", input="a")
    assert plain.seen[-1][0]["authorization"] == "Bearer upstream-key"


def test_our_own_key_stays_here(served, plain, upstream_app, ask):
    url = served(upstream_app(f"{served(plain.app)}/v1", api_key="our-key"))
    assert ask(url, key="our-key", model="small", input="a").status_code == 200
    assert "authorization" not in plain.seen[-1][0]


def test_an_upstream_that_is_down(served, upstream_app, refused):
    with socket.socket() as held:  # bound and not listening: nobody can connect
        held.bind(("127.0.0.1", 0))
        url = served(upstream_app(f"http://127.0.0.1:{held.getsockname()[1]}/v1"))
        message = refused(url, 502, "upstream_unreachable", kind="upstream_error", model="small", input="a")
    assert message == "the upstream could not be reached (ConnectError); is it running?"


def test_an_upstream_that_is_slow(served, plain, upstream_app, refused):
    plain.let_go.clear()
    url = served(upstream_app(f"{served(plain.app)}/v1", upstream_timeout_s=0.2))
    message = refused(url, 504, "upstream_timeout", kind="upstream_error", model="small", input="a")
    assert message.startswith("the upstream must answer within 0.2 s")


def changed(**row):
    """Return what makes an answer's first embedding another one."""
    return lambda answer: answer | {"data": [answer["data"][0] | row, *answer["data"][1:]]}


@pytest.mark.parametrize(
    ("misbehave", "code", "match"),
    [
        (lambda answer: Response("<html>"), "upstream_invalid", "could not be read"),
        (lambda answer: [], "upstream_invalid", "could not be read"),
        (lambda answer: {"data": None}, "upstream_invalid", "could not be read"),
        (lambda answer: {"data": [{}]}, "upstream_invalid", "could not be read"),
        (changed(embedding="%%%"), "upstream_invalid", "could not be read"),
        (changed(embedding="abcd"), "upstream_invalid", "could not be read"),
        (changed(embedding=["a"] * 24), "upstream_invalid", "could not be read"),
        (changed(embedding=[[0.0] * 24]), "upstream_invalid", "could not be read"),
        (changed(embedding={"a": 1}), "upstream_invalid", "could not be read"),
        (changed(index=0), "upstream_invalid", "one embedding per input, 2, got 1"),
        (changed(index=5), "upstream_invalid", "one embedding per input"),
        (lambda answer: answer | {"data": []}, "upstream_invalid", "one embedding per input, 2, got 0"),
        (changed(embedding=[1.0] * 12), "upstream_wrong_width", "24 dims as the model has, got 12, 24; was the model"),
        (changed(embedding=[0.0] * 24), "upstream_invalid", "zero"),
        (changed(embedding=[1e39] * 24), "upstream_invalid", "Inf"),
        (lambda answer: JSONResponse({}, status_code=500), "upstream_failed", "must answer 200, got 500"),
        (lambda answer: Response("moved", status_code=301), "upstream_failed", "must answer 200, got 301"),
        (lambda answer: JSONResponse({"detail": "Not Found"}, status_code=404), "upstream_failed", "end in /v1"),
    ],
)  # fmt: skip
def test_an_upstream_that_answers_badly(plain, url, refused, misbehave, code, match):
    plain.misbehave = misbehave
    assert match in refused(url, 502, code, kind="upstream_error", model="small", input=["a", "b"])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 429])
def test_what_the_upstream_holds_against_a_request_is_passed_on(plain, url, ask, lines, until, status):
    error = {"message": "because", "type": "some_error", "param": "input", "code": "some code"}
    headers = {"retry-after": "7"}
    plain.misbehave = lambda answer: JSONResponse({"error": error}, status_code=status, headers=headers)
    response = ask(url, model="small", input="a")
    assert (response.status_code, response.json()) == (status, {"error": error})
    assert response.headers["retry-after"] == "7"
    until(lambda: "upstream_refused" in [line.get("code") for line in lines("request")])


def test_the_error_form_of_older_vllm_is_understood(plain, url, ask):
    body = {"object": "error", "message": "too long", "type": "BadRequestError", "param": None, "code": 400}
    plain.misbehave = lambda answer: JSONResponse(body, status_code=400)
    response = ask(url, model="small", input="a")
    assert response.json()["error"] == {"message": "too long", "type": "BadRequestError", "param": None, "code": "400"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"detail": [{"msg": "too long"}, {"msg": "too many"}]}, "too long; too many"),
        ({"detail": "bad"}, "bad"),
        ({"error": "input too long: 9000 > 512"}, "input too long: 9000 > 512"),
        ({"error": None}, "the upstream has refused the request with status 422"),
        ([], "the upstream has refused the request with status 422"),
    ],
)
def test_other_forms_of_a_refusal_are_passed_on(plain, url, refused, content, message):
    plain.misbehave = lambda answer: JSONResponse(content, status_code=422)
    assert refused(url, 422, "upstream_refused", model="small", input="a") == message


def test_a_proxy_that_asks_to_wait(plain, url, ask):
    plain.misbehave = lambda answer: Response("<html>", status_code=429, headers={"retry-after": "7"})
    response = ask(url, model="small", input="a")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


def test_a_key_is_not_repeated(served, plain, url, upstream_app, ask, refused):
    def told(answer):
        return JSONResponse({"detail": f"wrong: {plain.seen[-1][0].get('authorization')}"}, status_code=401)

    plain.misbehave = told
    response = ask(url, key="sk-callers", model="small", input="a")
    assert response.status_code == 401 and response.json()["error"]["message"] == "wrong: Bearer ..."
    own = served(upstream_app(f"{served(plain.app)}/v1", key="sk-ours"))
    message = refused(own, 502, "upstream_failed", kind="upstream_error", model="small", input="a")
    assert message == "the upstream refuses the key of this server (401); tell who runs it"


def test_a_key_that_is_no_header_is_refused(upstream_app):
    with pytest.raises(ConfigError, match="^the key of the upstream must be of Latin letters, got others"):
        upstream_app("http://127.0.0.1:1/v1", key="\N{SNOWMAN}")


def test_requests_that_http_or_json_cannot_hold(plain, url, refused):
    raw = '{"model": "small", "input": "a", "foo": NaN}'
    assert "NaN" in refused(url, 400, "invalid_json", raw=raw)
    headers = {"content-type": "application/json", "authorization": "Bearer cl\xe9".encode("latin-1")}
    answer = httpx.post(f"{url}/v1/embeddings", content='{"model": "small", "input": "a"}', headers=headers)
    assert answer.status_code == 200
    assert plain.seen[-1][0]["authorization"] == "Bearer cl\xe9"


def test_an_answer_that_cannot_be_unpacked(plain, url, refused):
    plain.misbehave = lambda answer: Response(b"no gzip", headers={"content-encoding": "gzip"})
    message = refused(url, 502, "upstream_invalid", kind="upstream_error", model="small", input="a")
    assert message == "the upstream must answer in HTTP, its answer could not be read (DecodingError)"


def test_an_answer_without_usage(plain, url, ask):
    plain.misbehave = lambda answer: {name: value for name, value in answer.items() if name != "usage"}
    assert ask(url, model="small", input="a").json()["usage"] is None


def test_requests_stay_apart_and_are_compressed_together(served, plain, upstream_app, ask, small, fitted_model):
    url = served(upstream_app(f"{served(plain.app)}/v1"))
    texts = [f"text number {number}" for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda at: ask(url, model="small", input=texts[at], dimensions=3 + at), range(12)))
    vectors = small.encode(texts, show_progress_bar=False)
    for at, answer in enumerate(answers):
        row = fitted_model.compress(vectors[at : at + 1], dims=3 + at)
        got = np.array([answer.json()["data"][0]["embedding"]], dtype=np.float32)
        assert np.array_equal(got, row / np.linalg.norm(row, axis=1, keepdims=True))
    assert sorted(body["input"][0] for _, body in plain.seen) == sorted(texts)


def test_the_only_model_of_an_upstream_gives_its_name(served, plain):
    assert ask_name(f"{served(plain.app)}/v1", key=None) == "small"


def test_a_name_that_cannot_be_learned_is_asked_for(served, plain):
    base = served(plain.app)
    with pytest.raises(InputError, match="its answer to /models was 404; give the model's name with --name"):
        ask_name(base, key="any")
    plain.models = ("b", "a")
    with pytest.raises(InputError, match=r"must list one model, it lists 2 \(a, b\); give"):
        ask_name(f"{base}/v1", key=None)
    plain.models = ()
    with pytest.raises(InputError, match="lists 0"):
        ask_name(f"{base}/v1", key=None)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="upstream must answer, got ConnectError; start it first, or give"):
            ask_name(f"http://127.0.0.1:{held.getsockname()[1]}", key=None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://a/v1",
        "http://",
        "http://[",
        "http://a/v1?key=1",
        "http://a:abc/v1",
        "http://a:180010/v1",
        "http://a:0",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ConfigError, match=r"upstream must be an address such as http://127\.0\.0\.1:8001/v1"):
        check_url(url)


def test_neither_texts_nor_keys_are_logged(plain, served, upstream_app, ask, log, lines, until):
    mark = "zebra-marker"
    url = served(upstream_app(f"{served(plain.app)}/v1"))
    ask(url, key=mark, model="small", input=mark, dimensions=4, user=mark)
    ask(url, key=mark, model=mark, input=mark)
    ask(url, key=mark, raw=f'{{"{mark}": 1}}')
    ask(url, key=mark, path=f"/v1/{mark}?key={mark}", model="small", input=mark)
    plain.misbehave = lambda answer: JSONResponse({"error": {"message": mark, "code": mark}}, status_code=400)
    ask(url, key=mark, model="small", input=mark)
    plain.misbehave = lambda answer: Response(mark)
    ask(url, key=mark, model="small", input=mark)
    until(lambda: len(lines("request")) == 6)  # a line is written once its answer has been sent
    assert mark not in log()
    first, *others = lines("request")
    assert [(line["status"], line["code"]) for line in others] == [
        (404, "model_not_found"),
        (400, "missing_required_parameter"),
        (404, "unknown_url"),
        (400, "upstream_refused"),
        (502, "upstream_invalid"),
    ]
    assert set(first) == {"time", "level", "event", "method", "path", "status", "ms", "request_id", "inputs", "dims"}
    assert (first["method"], first["path"], first["inputs"], first["dims"]) == ("POST", "/v1/embeddings", 1, 4)
    assert all(json.loads(line) for line in log().splitlines())
