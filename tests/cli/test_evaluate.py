"""`arfc evaluate`: the table, the JSON file, and what is refused."""

import json

import numpy as np

from arfc.evaluate import evaluate, format_table


def test_table_and_json_are_what_the_function_returns(arfc, fitted, tmp_path):
    expected = evaluate(fitted.load(), fitted.x)
    assert arfc("evaluate", fitted.features, "-m", fitted.model).stdout == format_table(expected) + "\n"
    result = arfc("evaluate", fitted.features, "-m", fitted.model, "--json", "scores.json")
    assert result.stdout == format_table(expected) + "\n"
    assert result.stderr == ""
    assert json.loads((tmp_path / "scores.json").read_text()) == expected
    assert json.loads(arfc("evaluate", fitted.features, "-m", fitted.model, "--json", "-").stdout) == expected


def test_pairs_and_labels(arfc, fitted, tmp_path):
    np.save(tmp_path / "y.npy", fitted.x)
    np.save(tmp_path / "labels.npy", np.arange(1200) % 3)
    result = arfc("evaluate", fitted.features, "-m", fitted.model, "--pairs", "y.npy", "--labels", "labels.npy",
                  "--json", "-")  # fmt: skip
    assert [table["metric"] for table in json.loads(result.stdout)["tables"]] == ["recall@10", "R@1 by class"] + [
        f"R@{best} {way}" for way in ("features to pairs", "pairs to features") for best in (1, 5, 10)
    ]


def test_rows_of_the_fit_alone_are_not_scored(refused, fitted, tmp_path):
    model = fitted.load()
    seen = model.seen.contains(fitted.x / np.linalg.norm(fitted.x, axis=1, keepdims=True))
    np.save(tmp_path / "x.npy", fitted.x[seen])
    refused(
        "evaluate", "x.npy", "-m", fitted.model,
        match=r"at least 100 rows that the fit has not used, got 0, with 10\d\d of 10\d\d rows left out.*; give it oth",
    )  # fmt: skip


def test_bad_inputs(refused, fitted, tmp_path):
    def refuse(*flags, match):
        refused("evaluate", fitted.features, "-m", fitted.model, *flags, match=match)

    (tmp_path / "scores.json").write_text("old")
    refuse("--json", "scores.json", match=r"an output must not exist yet, got scores\.json")
    refuse("--json", "none/scores.json", match="the folder of an output must exist")
    refuse("--pairs", "none.npy", match="pairs must be an existing file")
    np.save(tmp_path / "y.npy", fitted.x[:-1])
    refuse("--pairs", "y.npy", match="pairs must have 1200 rows like the features, got 1199")
    np.save(tmp_path / "labels.npy", np.zeros(3, int))
    refuse("--labels", "labels.npy", match=r"labels must have shape \(1200,\)")
    refused("evaluate", "y.npy", "-m", "none", match=r"a model must be a folder with config\.json, got none")
    np.save(tmp_path / "narrow.npy", fitted.x[:, :5])
    refused("evaluate", "narrow.npy", "-m", fitted.model, match=r"features must have shape \(N, 24\), got \(1200, 5\)")


def test_overwrite_replaces_the_json_file(arfc, fitted, tmp_path):
    (tmp_path / "scores.json").write_text("old")
    arfc("evaluate", fitted.features, "-m", fitted.model, "--json", "scores.json", "--overwrite")
    assert json.loads((tmp_path / "scores.json").read_text())["rows"] == 1200
