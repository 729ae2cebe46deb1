"""Measurements as text: every cell is there, losing ones too."""

from arfc.evaluate import format_sizes, format_table
from arfc.evaluate.methods import byte_methods, float_methods
from arfc.evaluate.tables import METHODS

FLOATS = [
    {"dims": 8, "bytes": 32, "arfc": 0.5, "klt": 0.4, "truncation": None},
    {"dims": 512, "bytes": 2048, "arfc": 0.9994, "klt": 0.9996, "truncation": 0.9},
]
BYTES = [{"bytes": 8, "arfc": 0.25, "klt": None, "int8": 0.25}]


def test_format_sizes_aligns_all_cells():
    assert format_sizes({"floats": FLOATS, "bytes": BYTES}).splitlines() == [
        "  float32   dims   bytes        arfc         klt  truncation",
        "               8      32       0.500       0.400           -",
        "             512   2,048       0.999       1.000       0.900",
        "",
        "  codes            bytes        arfc  klt + bits        int8",
        "                       8       0.250           -       0.250",
        "",
        "  arfc is no better than klt at 512 dims",
        "  arfc is no better than int8 at 8 bytes",
    ]


def test_all_methods_have_a_column(fitted_model, small_rows):
    names = {*float_methods(fitted_model), *byte_methods(fitted_model, small_rows, largest=24)}
    assert names == set(METHODS)


def cell(score, low, high):
    """A cell as `evaluate` returns it; the text does not show retention."""
    return {"score": score, "low": low, "high": high}


def test_a_curve_without_baselines_for_codes():
    text = format_sizes({"floats": FLOATS[:1], "bytes": [{"bytes": 8, "arfc": 0.25}]})
    assert text.splitlines()[3:] == ["  codes            bytes        arfc", "                       8       0.250"]


def test_format_table_tells_what_was_scored_and_what_was_not():
    floats = [{"dims": 8, "bytes": 32, "arfc": cell(0.5, 0.49, 0.52), "klt": cell(0.5, 0.47, 0.51), "truncation": None}]
    result = {
        "rows": 5000,
        "checked_rows": 5000,
        "left_out_rows": 1000,
        "queries": 1000,
        "database_rows": 3000,
        "tables": [
            {"metric": name, "uncompressed": cell(1.0, 1.0, 1.0), "floats": floats, "bytes": []}
            for name in ("recall@10", "R@1")
        ],
        "notes": ["one", "two"],
    }
    block = [
        "  float32   dims   bytes        arfc         klt  truncation",
        "               8      32       0.500       0.500           -",
        "",
        "  arfc is no better than klt at 8 dims",
        "  95 % intervals reach at most 0.030 from a score",
    ]
    assert format_table(result).splitlines() == [
        "1,000 queries among 3,000 other rows; "
        "1,000 of 5,000 rows left out: the fit has used them, or nearly equal ones",
        "",
        "recall@10 (uncompressed 1.000)",
        *block,
        "",
        "R@1 (uncompressed 1.000)",
        *block,
        "",
        "note: one",
        "note: two",
    ]
