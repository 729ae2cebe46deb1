"""What a caller hands back: compressed vectors or codes, whichever they are, of this model."""
# N rows, B bytes per vector

from __future__ import annotations

from pathlib import Path

import numpy as np

from arfc.codec import Codes, NestedCodec
from arfc.errors import ConfigError, DtypeError
from arfc.io import Features, Stored, as_array, open_features, open_packed, sniff

NAME = "compressed vectors"


def open_compressed(small: object, codec: NestedCodec, *, made_by: str | None) -> Features | Codes:
    """Return Codes for codes, whether as Codes, as a uint8 array or in a file, and Features for vectors.

    `codec` is the model's, `made_by` its `tensors_sha256`, None before it is saved.

    Raises: ConfigError for codes of another model, and for a file that another one notes; whatever `open_features`,
    `open_packed` and `sniff` raise.
    """
    if isinstance(small, Codes):
        if not _same(small.codec, codec):
            raise ConfigError("codes must be those of this model, got another's; use the model that made them")
        return small
    if isinstance(small, (str, Path)):
        stored = sniff(small)
        check_maker(small, stored, made_by, name="this one")
        if stored.codes:
            return Codes(open_packed(small, column=stored.column), codec)
        return open_features(small, name=NAME, column=stored.column)
    if not isinstance(small, Features):
        small = as_array(small, name=NAME)
        if small.dtype == np.uint8:
            return Codes(small, codec)
    return open_features(small, name=NAME)


def check_maker(path: str | Path, stored: Stored, made_by: str | None, *, name: object) -> None:
    """Refuse a file that another model has made, where it notes that; `name` is what this one is called.

    Raises: ConfigError.
    """
    if made_by is not None and stored.made_by not in (None, made_by):
        raise ConfigError(
            f"{path} must be read by the model that made it (tensors_sha256 {str(stored.made_by)[:12]}...), "
            f"got {name} ({made_by[:12]}...); name that model"
        )


def open_codes(packed: object, codec: NestedCodec, *, made_by: str | None) -> Codes:
    """Return Codes of a uint8 array or tensor (N, B), or of the file that holds it.

    Raises: DtypeError for anything else; ShapeError, SizeError; as `open_compressed` for files.
    """
    if not isinstance(packed, (str, Path)):
        return Codes(as_array(packed, name="codes", kind="uint8"), codec)
    opened = open_compressed(packed, codec, made_by=made_by)
    if not isinstance(opened, Codes):
        raise DtypeError(f"codes must be uint8, got {opened.dtype} in {packed}; these are vectors")
    return opened


def _same(one: object, codec: NestedCodec) -> bool:
    """Tell whether two codecs are the same numbers: a model may have been loaded twice."""
    if one is codec:
        return True
    if not isinstance(one, NestedCodec):
        return False
    ours, theirs = codec.to_arrays(), one.to_arrays()
    return all(np.array_equal(ours[name], theirs[name]) for name in ours)
