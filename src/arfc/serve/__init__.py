"""An OpenAI-compatible embeddings server that makes `dimensions` work."""

from arfc.errors import MissingExtraError


def check_serve() -> None:
    """Refuse, before any work is done, to serve without what the server is made of.

    Raises: MissingExtraError.
    """
    try:
        import fastapi  # noqa: F401
        import httpx  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"{error.name} is not installed; run: pip install 'arfc[serve]'") from error
