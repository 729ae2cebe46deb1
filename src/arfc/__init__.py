"""arfc: one trained file turns feature vectors into any size you name.

`Compressor` and `Codes` are looked up on first use, so that `import arfc` does not import torch.
"""

from typing import TYPE_CHECKING, Any

from arfc.errors import (
    ArfcError,
    ConfigError,
    DtypeError,
    InputError,
    MissingExtraError,
    ModelFileError,
    OutputError,
    RowError,
    ShapeError,
    SizeError,
)

if TYPE_CHECKING:
    from arfc.codec import Codes
    from arfc.compressor import Compressor

__version__ = "0.1.0"

__all__ = [
    "ArfcError",
    "Codes",
    "Compressor",
    "ConfigError",
    "DtypeError",
    "InputError",
    "MissingExtraError",
    "ModelFileError",
    "OutputError",
    "RowError",
    "ShapeError",
    "SizeError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name == "Compressor":
        from arfc.compressor import Compressor

        return Compressor
    if name == "Codes":
        from arfc.codec import Codes

        return Codes
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
