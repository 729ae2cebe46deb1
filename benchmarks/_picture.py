"""The README's picture: quality against bytes per vector, as an SVG that is the same for the same records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from _records import Line
from _verdict import label


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours of GitHub's page, so that the picture lies on it without a frame."""

    page: str
    ink: str
    grid: str


THEMES = {
    "": Theme(page="#ffffff", ink="#1f2328", grid="#d1d9e0"),
    "-dark": Theme(page="#0d1117", ink="#d1d7e0", grid="#3d444d"),
}
"""By what is added to the file's name."""
STYLES = {
    ("bytes", "arfc"): ("#e0364a", "-", 3.6),
    ("floats", "arfc"): ("#e0364a", "--", 1.8),
    ("bytes", "klt + bits"): ("#3f82d8", "-", 1.4),
    ("floats", "klt"): ("#3f82d8", "--", 1.4),
    ("bytes", "rq"): ("#2f9e6e", "-", 1.4),
    ("bytes", "lsq"): ("#c05fa8", "-", 1.4),
    ("bytes", "opq"): ("#9a6ddb", "-", 1.4),
    ("bytes", "turboquant"): ("#b5563a", "-", 1.4),
    ("bytes", "rabitq"): ("#d98a1f", "-", 1.4),
    ("bytes", "klt + int8"): ("#8a939e", "-", 1.4),
    ("floats", "truncation"): ("#8a939e", "--", 1.4),
}
"""Colour, dashes and width: a colour per method, codes solid and floats dashed; mid-tones that both pages bear."""
OTHERS = (("#1f9aa8", "-", 1.4), ("#8f7a2e", "-", 1.4))
"""Of lines that are drawn because they are ahead somewhere."""
TICKS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)


def draw(metric: str, lines: Sequence[Line], path: Path, *, title: str, theme: Theme) -> None:
    """Write the picture of these lines, the first in front; those without a style of their own share `OTHERS`."""
    import matplotlib
    from matplotlib.figure import Figure

    others = iter(OTHERS)
    styled = [(line, STYLES.get((line.form, line.method)) or next(others, OTHERS[-1])) for line in lines]
    with matplotlib.rc_context({"svg.hashsalt": "arfc", "font.family": "DejaVu Sans", "text.color": theme.ink}):
        figure = Figure(figsize=(7.2, 5.4), layout="constrained", facecolor=theme.page)
        axes = figure.add_subplot(facecolor=theme.page)
        for line, (colour, dashes, width) in reversed(styled):
            cells = list(line.cells.values())
            sizes, scores = [cell.bytes for cell in cells], [cell.score.value for cell in cells]
            band = [cell.score.low for cell in cells], [cell.score.high for cell in cells]
            above = 10 - width  # thin lines lie above thick ones, so that none is hidden
            axes.fill_between(sizes, *band, color=colour, alpha=0.18, linewidth=0, zorder=above)
            axes.plot(
                sizes, scores, dashes, color=colour, linewidth=width, marker="o", markersize=3.4,
                markeredgecolor=theme.page, markeredgewidth=0.5, label=label(line), zorder=above,
            )  # fmt: skip
        every = [size for line in lines for size in line.cells]
        ticks = [tick for tick in TICKS if min(every) <= tick <= max(every)]
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axes.set_ylim(bottom=0)
        axes.set_title(title, loc="left", fontsize=12, color=theme.ink)
        axes.set_xlabel("bytes per vector", fontsize=12, color=theme.ink)
        axes.set_ylabel(metric, fontsize=12, color=theme.ink)
        axes.tick_params(colors=theme.ink, labelsize=11.5, length=0)
        axes.grid(color=theme.grid, linewidth=0.6, alpha=0.7)
        axes.spines[:].set_visible(False)
        handles, names = axes.get_legend_handles_labels()
        axes.legend(
            handles[::-1], names[::-1], loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False, fontsize=11,
            labelcolor=theme.ink, handlelength=2.4, labelspacing=0.5, ncols=3,
        )  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})
