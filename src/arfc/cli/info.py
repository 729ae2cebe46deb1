"""`arfc info`: what a model says of itself; reads `config.json` and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from arfc.cli.options import PATH, nearer_duplicates, print_json


@click.command("info")
@click.argument("model_path", metavar="MODEL", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print everything the model records as JSON.")
def info_command(model_path: Path, as_json: bool) -> None:
    """Show what MODEL was fitted on and the quality it was measured to have at each size."""
    from arfc.io.model_folder import read_facts

    facts = read_facts(model_path)
    if as_json:
        print_json(facts)
    else:
        click.echo(_describe(facts))


def _describe(facts: dict[str, Any]) -> str:
    from arfc.evaluate import format_sizes

    data, curve = facts["data"], facts["curve"]
    low, high = data["norm_range"]
    packages = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    sampled = "" if data["sampled_rows"] == data["rows"] else f", {data['sampled_rows']:,} of them sampled"
    return "\n".join(
        [
            f"features    {data['rows']:,} rows x {facts['width']} dims{sampled}",
            f"lengths     {data['mean_norm']:.4g} on average, {low:.4g} to {high:.4g}",
            f"common part {100 * data['common_direction']:.1f} % of the energy lies in the mean direction",
            f"rows used   {data['fit_rows']:,} to fit, {data['validation_rows']:,} to choose; "
            f"{data['test_rows']:,} not at all",
            *nearer_duplicates(facts),
            f"fit         for {facts['task']}, seed {facts['seed']}, "
            f"{'interrupted before its end' if facts.get('interrupted') else 'complete'}",
            f"linear map  {_linear_map(facts.get('history', {}))}",
            f"ARC         {_opening(facts)}",
            f"versions    format {facts['format_version']}, {packages}",
            "",
            _measured(curve),
            format_sizes(curve),
        ]
    )


def _measured(curve: dict[str, Any]) -> str:
    """Say what the scores are of; codes have a line of their own where other rows answer them."""
    among, new = curve["answering_rows"], curve["code_answering_rows"]
    text = (
        f"{curve['metric']} of {curve['validation_rows']:,} validation rows among {among:,} "
        f"(uncompressed {curve['uncompressed']:.3f})"
    )
    if new == among:
        return text
    return f"{text};\ncodes among {new:,} that no codebook has seen (uncompressed {curve['code_uncompressed']:.3f})"


def _linear_map(history: dict[str, Any]) -> str:
    """Say which map it is and how much of what was learned is in it."""
    if not history:
        return "not told"
    free = history.get("map") == "free"
    kept = (
        f"free, kept by {history['free_share']:g}" if free else f"rotation kept by {history.get('linear_share', 0):g}"
    )
    fade = history.get("fade", {"scale": 1})
    faded = f", dims from {fade['from']} on times {fade['scale']:g}" if fade["scale"] < 1 else ""
    return f"{kept} (1 is all){faded}"


def _opening(facts: dict[str, Any]) -> str:
    """Say how far the non-linear part is let in."""
    opening = facts.get("opening", [])
    if not any(opening):
        return "closed: on validation rows it added nothing to the linear map"
    return f"tokens open by {', '.join(f'{share:g}' for share in opening)} (1 is fully)"
