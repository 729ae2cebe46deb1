"""`arfc plan`: what it prints, and what it refuses."""

import json

import numpy as np

from arfc.evaluate.plan_text import format_plan


def test_text_and_json_are_the_models_plan(arfc, fitted):
    expected = fitted.load().plan(fitted.x, keep=0.8)
    result = arfc("plan", fitted.features, "-m", fitted.model, "--keep", "0.8")
    assert result.stdout == format_plan(expected) + "\n"
    assert result.stderr == ""
    printed = arfc("plan", fitted.features, "-m", fitted.model, "--keep", "0.8", "--json").stdout
    assert json.loads(printed) == expected


def test_pairs_and_labels(arfc, fitted, tmp_path):
    np.save(tmp_path / "y.npy", fitted.x)
    np.save(tmp_path / "labels.npy", (fitted.x[:, 0] > 0).astype(int))
    for flags in (
        ["--pairs", "y.npy", "--metric", "R@1 features to pairs"],
        ["--labels", "labels.npy", "--metric", "R@1 by class"],
    ):
        printed = arfc("plan", fitted.features, "-m", fitted.model, "--keep", "0.5", "--json", *flags).stdout
        assert json.loads(printed)["metric"] == flags[-1]


def test_mistakes_are_refused(refused, fitted):
    def refuse(*flags, match):
        refused("plan", fitted.features, "-m", fitted.model, *flags, match=match)

    refuse("--keep", "95", match=r"keep must be a share above 0 and at most 1, got 95\.0; try 0\.95")
    refuse("--metric", "R@1", match=r"metric must be one of recall@10, recall@1, got 'R@1'; pairs and labels add more")
    refuse("--pairs", "none.npy", match="pairs must be an existing file")
    refused("plan", "none.npy", "-m", fitted.model, match="features must be an existing file")
