"""The official client works unchanged: against a running server with a real encoder, and against one in front of it."""

import asyncio

import httpx
import numpy as np
import openai
import pytest

from arfc.serve.app import make_app
from arfc.serve.config import ServeConfig
from arfc.serve.local import LocalEncoder
from arfc.serve.metrics import Metrics
from arfc.serve.upstream import UpstreamEncoder

NAME = "all-MiniLM-L6-v2"


@pytest.fixture(scope="module")
def local_url(running, minilm, minilm_model):
    """`arfc serve` with the real encoder."""
    config, metrics = ServeConfig(port=0), Metrics()
    source = LocalEncoder(minilm_model, minilm, name=NAME, truncate=False, config=config, metrics=metrics)
    with running(make_app(source, config, metrics)) as url:
        yield url


@pytest.fixture(scope="module")
def front_url(running, minilm_model, local_url):
    """`arfc serve` in front of the first one."""
    config, metrics = ServeConfig(port=0), Metrics()
    source = UpstreamEncoder(minilm_model, f"{local_url}/v1/", name=NAME, key=None, config=config, metrics=metrics)
    with running(make_app(source, config, metrics)) as url:
        yield url


@pytest.fixture
def client(local_url):
    with openai.OpenAI(base_url=f"{local_url}/v1", api_key="any", max_retries=0) as made:
        yield made


def vectors(answer):
    return np.array([one.embedding for one in answer.data], dtype=np.float32)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("dims", [1, 37, 96, 384])
def test_what_comes_back_is_what_python_gives(client, minilm, minilm_model, texts, dims):
    answer = client.embeddings.create(model=NAME, input=texts[:5], dimensions=dims)
    expected = unit(minilm_model.compress(minilm.encode(texts[:5], show_progress_bar=False), dims=dims))
    np.testing.assert_allclose(vectors(answer), expected, atol=2e-6)
    assert [one.index for one in answer.data] == [0, 1, 2, 3, 4]
    assert (answer.object, answer.model) == ("list", NAME)
    tokens = sum(len(one) for one in minilm.tokenizer(texts[:5])["input_ids"])
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == tokens


def test_a_small_vector_is_the_beginning_of_the_full_one(client, texts):
    full = vectors(client.embeddings.create(model=NAME, input=texts[0]))
    assert full.shape == (1, 384)
    for dims in (8, 100, 383):
        small = vectors(client.embeddings.create(model=NAME, input=texts[0], dimensions=dims))
        np.testing.assert_allclose(small, unit(full[:, :dims]), atol=1e-6)


def test_both_encodings_carry_the_same_float32(client, texts):
    raw = client.embeddings.with_raw_response
    as_floats = raw.create(model=NAME, input=texts[0], dimensions=20, encoding_format="float").http_response.json()
    floats = np.array(as_floats["data"][0]["embedding"], dtype=np.float32)
    as_text = raw.create(model=NAME, input=texts[0], dimensions=20, encoding_format="base64").http_response.json()
    assert isinstance(as_text["data"][0]["embedding"], str)
    answer = client.embeddings.create(model=NAME, input=texts[0], dimensions=20)  # asks for base64, and reads it
    assert np.array_equal(vectors(answer)[0], floats)


def test_the_full_width_keeps_the_cosines_of_the_encoder(client, minilm, texts):
    ours = vectors(client.embeddings.create(model=NAME, input=texts[:20]))
    theirs = unit(minilm.encode(texts[:20], show_progress_bar=False))
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-5)


def test_models_are_listed_and_found(client):
    (model,) = client.models.list().data
    assert (model.id, model.object, model.owned_by) == (NAME, "model", "arfc")
    assert client.models.retrieve(NAME) == model
    with pytest.raises(openai.NotFoundError, match="the one that is served is 'all-MiniLM-L6-v2'"):
        client.models.retrieve("another")


def test_errors_are_those_of_the_client(client):
    with pytest.raises(
        openai.BadRequestError, match="dimensions must be a whole number between 1 and 384, got 385"
    ) as got:
        client.embeddings.create(model=NAME, input="a", dimensions=385)
    assert (got.value.param, got.value.code, got.value.type) == ("dimensions", "invalid_value", "invalid_request_error")
    assert len(got.value.request_id) == 32
    with pytest.raises(openai.NotFoundError) as got:
        client.embeddings.create(model="text-embedding-3-small", input="a")
    assert (got.value.param, got.value.code) == ("model", "model_not_found")
    with pytest.raises(openai.BadRequestError, match="token ids are those of some tokenizer") as got:
        client.embeddings.create(model=NAME, input=[[1, 2], [3]])
    assert got.value.code == "token_ids_not_supported"


def test_requests_that_wait_share_a_batch_and_keep_their_answers(local_url, texts):
    asked = [texts[place : place + 1 + place % 3] for place in range(16)]
    before = batches(local_url)

    async def all_at_once():
        async with openai.AsyncOpenAI(base_url=f"{local_url}/v1", api_key="any", max_retries=0) as client:
            made = (
                client.embeddings.create(model=NAME, input=some, dimensions=16 + place)
                for place, some in enumerate(asked)
            )
            return await asyncio.gather(*made)

    together = asyncio.run(all_at_once())
    assert batches(local_url) - before < len(asked)
    with openai.OpenAI(base_url=f"{local_url}/v1", api_key="any", max_retries=0) as client:
        for place in (0, 5, 15):
            alone = client.embeddings.create(model=NAME, input=asked[place], dimensions=16 + place)
            np.testing.assert_allclose(vectors(together[place]), vectors(alone), atol=2e-6)
            assert together[place].usage == alone.usage


def batches(url):
    for line in httpx.get(f"{url}/metrics").text.splitlines():
        if line.startswith("arfc_batch_inputs_count"):
            return float(line.split()[1])
    raise AssertionError("no such metric")


def test_in_front_of_another_server_of_ours(front_url, local_url, minilm_model, texts):
    with openai.OpenAI(base_url=f"{local_url}/v1", api_key="any", max_retries=0) as client:
        behind = client.embeddings.create(model=NAME, input=texts[:3])
    with openai.OpenAI(base_url=f"{front_url}/v1", api_key="any", max_retries=0) as client:
        answer = client.embeddings.create(model=NAME, input=texts[:3], dimensions=50)
        assert answer.usage == behind.usage
        np.testing.assert_allclose(vectors(answer), unit(minilm_model.compress(vectors(behind), dims=50)), atol=1e-6)
        with pytest.raises(
            openai.BadRequestError, match="an input must have at most 256 tokens, input 1 has 402"
        ) as got:
            client.embeddings.create(model=NAME, input=["short", "long " * 400])
        assert (got.value.code, got.value.param) == ("context_length_exceeded", "input")
