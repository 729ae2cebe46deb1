import pickle
import subprocess
import sys

import pytest

import arfc
from arfc import errors
from arfc.errors import ArfcError, count_rows

BUILT_IN = {
    "ShapeError": ValueError,
    "DtypeError": TypeError,
    "RowError": ValueError,
    "SizeError": ValueError,
    "InputError": OSError,
    "OutputError": OSError,
    "ModelFileError": ValueError,
    "MissingExtraError": ImportError,
    "ConfigError": ValueError,
}


def test_list_of_errors_is_closed():
    found = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ArfcError)}
    assert found == {"ArfcError", *BUILT_IN}


@pytest.mark.parametrize(("name", "built_in"), BUILT_IN.items())
def test_error_is_also_the_built_in_one_and_prints_as_its_message(name, built_in):
    kind = getattr(errors, name)
    with pytest.raises(built_in, match="^got 3 of 4; try again$") as caught:
        raise kind("got 3 of 4; try again")
    assert isinstance(caught.value, ArfcError)
    assert str(caught.value) == "got 3 of 4; try again"
    assert str(pickle.loads(pickle.dumps(caught.value))) == "got 3 of 4; try again"


def test_every_error_is_a_public_name():
    assert {"ArfcError", *BUILT_IN} <= set(arfc.__all__)
    assert all(getattr(arfc, name) is getattr(errors, name) for name in BUILT_IN)
    assert len(arfc.__all__) <= 15


def test_unknown_public_name_is_refused():
    with pytest.raises(AttributeError, match="module 'arfc' has no attribute 'compress'"):
        arfc.compress  # noqa: B018


@pytest.mark.parametrize(
    ("rows", "count", "text"),
    [
        ([4], 1, "1 row (row 4)"),
        ([0, 7], 2, "2 rows (rows 0, 7)"),
        ([1, 2, 3, 4, 5], 900, "900 rows (rows 1, 2, 3, 4, 5, ...)"),
    ],
)
def test_count_rows(rows, count, text):
    assert count_rows(rows, count) == text


def test_light_imports_leave_torch_and_optional_packages_out():
    code = (
        "import sys, arfc, arfc.io, arfc.scores, arfc.sizes\n"
        "print([name for name in ('torch', 'pyarrow', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_annotations_work_without_jaxtyping():
    code = (
        "import sys; sys.modules['jaxtyping'] = None\n"
        "import numpy, arfc.io\n"
        "from arfc.scores import cosine_scores, top_k\n"
        "from arfc.shapes import Array, Float\n"
        "assert Float[Array, 'N D'] is Array is numpy.ndarray\n"
        "print(top_k(cosine_scores(numpy.eye(2), numpy.eye(2)), 1)[0].tolist())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[[0], [1]]"


def test_shapes_offers_tensor_and_nothing_unknown():
    import torch

    from arfc import shapes

    assert shapes.Tensor is torch.Tensor
    with pytest.raises(AttributeError, match="has no attribute 'Complex'"):
        shapes.Complex  # noqa: B018
