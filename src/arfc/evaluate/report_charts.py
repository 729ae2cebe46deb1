"""The charts of the report page: Vega-Lite specifications, made with Altair."""

from __future__ import annotations

from typing import Any

from arfc.evaluate.series import FLOATS, Series

HEIGHT_PX = 340
SOLID, DASHED = [1, 0], [5, 3]


def quality_chart(series: list[Series], *, unit: str, metric: str, uncompressed: float) -> dict[str, Any]:
    """Return the specification of quality against `unit`, `bytes` or `dims`, on a logarithmic axis.

    The page sets what changes while it is read: the parameter `shown`, the labels of the series that are drawn; the
    parameter `at`, the size that is pointed at; and the colours, which follow its light or dark theme: the colour of
    series i is entry i of the range `category`.
    """
    import altair as alt

    labels = [one.label for one in series]
    sizes = sorted({row[unit] for one in series for row in one.rows})
    # What comes last is drawn on top.
    records = [{"label": one.label, "ours": one.method == "arfc"} | row for one in reversed(series) for row in one.rows]
    x = alt.X(
        f"{unit}:Q",
        title=f"{unit} per vector",
        scale=alt.Scale(type="log", base=2, nice=False, padding=12),
        axis=alt.Axis(values=sizes, format=",d", labelOverlap="greedy", labelSeparation=6, grid=False),
    )
    y = alt.Y("score:Q", title=metric, scale=alt.Scale(zero=False, padding=6), axis=alt.Axis(tickCount=6))
    base = (
        alt.Chart(alt.Data(values=records))
        .transform_filter("indexof(shown, datum.label) >= 0")
        .encode(x=x, y=y, color=alt.Color("label:N", scale=alt.Scale(domain=labels), legend=None))
    )
    dashes = [DASHED if dashed(one, unit) else SOLID for one in series]
    line = base.mark_line().encode(
        strokeDash=alt.StrokeDash("label:N", scale=alt.Scale(domain=labels, range=dashes), legend=None),
        strokeWidth=alt.condition("datum.ours", alt.value(2.75), alt.value(1.75)),
    )
    band = base.mark_area(opacity=0.13).encode(y=alt.Y("low:Q", title=metric), y2="high:Q")
    points = base.mark_point(filled=True, opacity=1).encode(
        size=alt.condition(f"datum.{unit} === at", alt.value(110), alt.value(38))
    )
    top = alt.Chart(alt.Data(values=[{"score": uncompressed, "text": f"uncompressed {uncompressed:.3f}"}]))
    rule = top.mark_rule(strokeDash=[2, 3]).encode(y="score:Q")
    name = top.mark_text(align="left", baseline="bottom", dx=4, dy=-3).encode(
        x=alt.value(0), y="score:Q", text="text:N"
    )
    every_size = alt.Chart(alt.Data(values=[{unit: size} for size in sizes]))
    pointed = every_size.mark_rule().encode(
        x=x, opacity=alt.condition(f"datum.{unit} === at", alt.value(0.5), alt.value(0))
    )
    chart = alt.layer(rule, name, pointed, band, line, points).add_params(
        alt.param(name="shown", value=labels), alt.param(name="at", value=None)
    )
    specification: dict[str, Any] = chart.properties(width="container", height=HEIGHT_PX).to_dict()
    return specification


def dashed(series: Series, unit: str) -> bool:
    """Say whether a line is dashed: floats are where codes stand beside them."""
    return unit == "bytes" and series.form == FLOATS
