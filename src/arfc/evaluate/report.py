"""One self-contained page that shows what `evaluate` has measured: words, charts, tables."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import arfc
from arfc.errors import MissingExtraError
from arfc.evaluate.report_charts import dashed, quality_chart
from arfc.evaluate.series import CODES, FLOATS, KEYS, Series, label, methods, score_text, series_of, share_text
from arfc.evaluate.verdict import verdict

BUNDLE = "window.vegaEmbed = vegaEmbed;"
"""What the page needs of the bundle of Vega, Vega-Lite and vega-embed."""
PARTS = ("html", "css", "js")
CHARTS = {"bytes": "Quality against bytes", "dims": "Quality against dims, as float32"}
SUPERVISION = {"features": "without labels or pairs", "pairs": "with pairs", "labels": "with labels"}


def check_report() -> None:
    """Refuse, before any work is done, to make a page without what draws it.

    Raises: MissingExtraError.
    """
    try:
        import altair  # noqa: F401
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"{error.name} is not installed; run: pip install 'arfc[report]'") from error


def report_page(result: dict[str, Any], *, features: str, model: str, facts: dict[str, Any]) -> str:
    """Return HTML that needs no network; `features` and `model` are names to show, `facts` those of the model.

    Raises: MissingExtraError without altair.
    """
    check_report()
    import jinja2
    import vl_convert

    parts = {name: files("arfc.evaluate").joinpath("page", f"report.{name}").read_text("utf-8") for name in PARTS}
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["unbroken"] = _unbroken
    tables = [_table(table) for table in result["tables"]]
    page: str = environment.from_string(parts["html"]).render(
        result=result,
        features=features,
        model=model,
        facts=facts,
        supervision=SUPERVISION[facts["task"]],
        version=arfc.__version__,
        tables=tables,
        charts=CHARTS,
        drawn={"tables": [{key: table[key] for key in ("metric", "charts")} for table in tables]},
        css=parts["css"],
        script=parts["js"],
        # The bundle is JavaScript of its own; just the end of its element must not stand in it.
        bundle=vl_convert.javascript_bundle(BUNDLE).replace("</script", r"<\/script"),
    )
    return page


def _table(table: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of one metric."""
    series = series_of(table)
    return {
        "metric": table["metric"],
        "queries": table["queries"],
        "uncompressed": score_text(table["uncompressed"]),
        "verdict": verdict(table),
        "charts": {unit: _chart(table, series, unit=unit) for unit in CHARTS},
        "blocks": [_block(form, table) for form in (CODES, FLOATS) if table[form]],
    }


def _chart(table: dict[str, Any], series: list[Series], *, unit: str) -> dict[str, Any]:
    """Return a chart and what its legend and its readout say; a method has one colour in all of them."""
    colours = list(dict.fromkeys(one.method for one in sorted(series, key=lambda one: one.method != "arfc")))
    drawn = series if unit == "bytes" else [one for one in series if one.form == FLOATS]
    return {
        "spec": quality_chart(drawn, unit=unit, metric=table["metric"], uncompressed=table["uncompressed"]["score"]),
        "sizes": sorted({row[unit] for one in drawn for row in one.rows}),
        "series": [
            {
                "label": one.label,
                "colour": colours.index(one.method),
                "dashed": dashed(one, unit),
                "readings": {
                    str(row[unit]): [_unbroken(text) for text in (score_text(row), *_kept(row, table))]
                    for row in one.rows
                },
            }
            for one in drawn
        ],
    }


def _block(form: str, table: dict[str, Any]) -> dict[str, Any]:
    """Return a block of cells as text; the best score of a row, as it is printed, is marked."""
    names = methods(table[form])
    rows = []
    for row in table[form]:
        best = max((round(row[name]["score"], 3) for name in names if row[name]), default=None)
        cells = [
            row[name]
            and {
                "score": f"{row[name]['score']:.3f}",
                "more": [f"{row[name]['low']:.3f}-{row[name]['high']:.3f}", *_kept(row[name], table)],
                "best": round(row[name]["score"], 3) == best,
            }
            for name in names
        ]
        rows.append({"sizes": [f"{row[key]:,}" for key in KEYS if key in row], "cells": cells})
    return {
        "title": "Codes" if form == CODES else "Floats",
        "sizes": [key for key in KEYS if key in table[form][0]],
        "methods": [label(form, name) for name in names],
        "rows": rows,
    }


def _kept(cell: dict[str, Any], table: dict[str, Any]) -> list[str]:
    """Return the share of the uncompressed score where it is not the score itself."""
    return [] if table["uncompressed"]["score"] == 1 else [share_text(cell)]


def _unbroken(text: str) -> str:
    """Return text whose ranges and percentages stay on one line."""
    return re.sub(r"(\d)-(\d)", "\\1\u2060\u2013\u2060\\2", text).replace(" %", "\u00a0%")
