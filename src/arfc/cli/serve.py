"""`arfc serve`: embeddings of any size over HTTP, in front of another server or of an encoder on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arfc.cli.options import PATH, model_option
from arfc.serve import check_serve
from arfc.serve.config import ServeConfig

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from arfc.compressor import Compressor
    from arfc.serve.encoder import Encoder


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option per limit of the server, with its default and its help."""
    for one in reversed(fields(ServeConfig)):
        if "help" in one.metadata:
            kind = type(one.default)
            flag = f"--{one.name.replace('_', '-').removesuffix('-s')}"
            add = click.option(
                flag, one.name, type=kind, default=one.default, show_default=True, help=one.metadata["help"]
            )
            command = add(command)
    return command


@click.command("serve")
@model_option
@click.option("--upstream", metavar="URL", help="OpenAI-compatible server to ask, such as http://127.0.0.1:8001/v1.")
@click.option("--encoder", type=PATH, metavar="FOLDER", help="sentence-transformers folder to encode with.")
@click.option("--name", help="Name that callers give as `model`. Default: the folder's, or the upstream's only model.")
@click.option("--api-key-env", metavar="NAME", help="Environment variable with the key that callers must give.")
@click.option(
    "--upstream-key-env",
    metavar="NAME",
    help="Environment variable with the upstream's key; else callers' keys are passed on.",
)
@click.option("--truncate", is_flag=True, help="Cut texts that --encoder cannot read whole, instead of refusing them.")
@click.option("--corpus", type=PATH, metavar="FILE", help="Texts that the page at / searches, one per line.")
@click.option("--no-page", is_flag=True, help="Leave the page at / out.")
@limit_options
def serve_command(
    model_path: Path,
    upstream: str | None,
    encoder: Path | None,
    name: str | None,
    api_key_env: str | None,
    upstream_key_env: str | None,
    truncate: bool,
    corpus: Path | None,
    no_page: bool,
    **limits: Any,
) -> None:
    """Serve embeddings of any size as OpenAI does: POST /v1/embeddings with `dimensions`.

    The vectors come from --upstream or --encoder and are compressed with MODEL, which was fitted on vectors of the same
    encoder. There is a page to try it at /, and /healthz and /metrics for operators.
    """
    if (upstream is None) == (encoder is None):
        raise click.UsageError(
            f"exactly one of --upstream and --encoder must be given, got {'both' if encoder else 'none'}"
        )
    if upstream is None and upstream_key_env is not None:
        raise click.UsageError("--upstream-key-env must come with --upstream")
    if encoder is None and truncate:
        raise click.UsageError("--truncate must come with --encoder; an upstream has its own way to say it")
    if no_page and corpus is not None:
        raise click.UsageError("--corpus must come without --no-page")
    check_serve()
    config = ServeConfig(api_key=_key(api_key_env), **limits)

    from arfc.compressor import Compressor
    from arfc.serve import corpus as texts
    from arfc.serve.app import make_app
    from arfc.serve.batching import compute_thread
    from arfc.serve.demo import Demo
    from arfc.serve.logs import LOG, log_to
    from arfc.serve.metrics import Metrics
    from arfc.serve.run import Server, bind

    searched = None if no_page else texts.standard_library() if corpus is None else texts.from_file(corpus)
    with bind(config.host, config.port) as bound:
        thread, metrics = compute_thread(), Metrics()
        model = thread.submit(Compressor.load, model_path).result()
        common: dict[str, Any] = {"config": config, "metrics": metrics, "thread": thread}
        if encoder is not None:
            source = _local(model, encoder, name, truncate=truncate, **common)
        else:
            source = _upstream(model, str(upstream), name, key=_key(upstream_key_env), **common)
        demo = None if searched is None else Demo(source, searched, curve=model.curve)
        server = Server(
            make_app(source, config, metrics, demo=demo),
            config,
            bound=bound,
            model=source.name,
            dimensions=source.width,
        )
        log_to(sys.stderr)
        if not config.is_loopback and config.api_key is None:
            LOG.warning("everyone who reaches this address may ask; --api-key-env asks for a key")
        server.listen()


def _local(
    model: Compressor, folder: Path, name: str | None, *, thread: ThreadPoolExecutor, **settings: Any
) -> Encoder:
    from arfc.serve.local import LocalEncoder, load_encoder

    encoder = thread.submit(load_encoder, folder).result()
    return LocalEncoder(model, encoder, name=name or folder.resolve().name, thread=thread, **settings)


def _upstream(model: Compressor, url: str, name: str | None, *, key: str | None, **settings: Any) -> Encoder:
    from arfc.serve.upstream import UpstreamEncoder, ask_name, check_url

    url = check_url(url)
    return UpstreamEncoder(model, url, name=name or ask_name(url, key=key), key=key, **settings)


def _key(variable: str | None) -> str | None:
    """Return the key that an environment variable holds; a key on the command line could be read by every process."""
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise click.UsageError(f"the environment variable {variable} must hold a key, it is empty or not set")
    return key
