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
    assert [table["metric"] for table in json.loads(result.stdout)["tables"]] == [
        *("recall@10", "recall@1", "R@1 by class", "mAP@R by class"),
        *(f"R@{best} {way}" for way in ("features to pairs", "pairs to features") for best in (1, 5, 10)),
    ]


def test_queries_and_qrels(arfc, fitted, tmp_path):
    rng = np.random.default_rng(1)
    np.save(tmp_path / "q.npy", fitted.x[:20] + 0.3 * rng.standard_normal((20, 24)).astype(np.float32))
    (tmp_path / "qrels.tsv").write_text("\n".join(f"{row}\t{row}\t1" for row in range(20)))
    command = ["evaluate", fitted.features, "-m", fitted.model, "--queries", "q.npy", "--json", "-"]
    result = json.loads(arfc(*command, "--qrels", "qrels.tsv").stdout)
    assert [table["metric"] for table in result["tables"]] == [
        "recall@10",
        "recall@1",
        "nDCG@10",
        "recall@100 of relevant",
    ]
    assert result["notes"][1] == (
        "nDCG@10 and recall@100: 20 queries ask all 1,200 rows, also those that the fit has used: the queries are what "
        "is held out; left out of them: 0 without a relevant row, 0 that the fit has used"
    )
    lines = [f"query {row}\tdoc {row}\t1" for row in range(20)]
    (tmp_path / "beir.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    (tmp_path / "q.txt").write_text("".join(f"query {row}\n" for row in range(20)))
    (tmp_path / "d.txt").write_text("".join(f"doc {row}\n" for row in range(1200)))
    by_id = arfc(*command, "--qrels", "beir.tsv", "--query-ids", "q.txt", "--ids", "d.txt")
    assert json.loads(by_id.stdout) == result


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
    refuse("--queries", "y.npy", match="queries and qrels must be given together, got queries alone; give qrels too")
    refuse("--qrels", "none.tsv", match="queries and qrels must be given together, got qrels alone; give queries too")
    refuse("--ids", "d.txt", match="ids must come with qrels that use them, got ids alone")
    refuse("--queries", "y.npy", "--qrels", "none.tsv", match=r"qrels must be an existing file, got none\.tsv")
    (tmp_path / "qrels.tsv").write_text("0\t1200\t1\n")
    refuse("--queries", "y.npy", "--qrels", "qrels.tsv", match=r"qrels must name rows 0\.\.1199, got '1200' in line 1")
    refused("evaluate", "y.npy", "-m", "none", match=r"a model must be a folder with config\.json, got none")
    np.save(tmp_path / "narrow.npy", fitted.x[:, :5])
    refused("evaluate", "narrow.npy", "-m", fitted.model, match=r"features must have shape \(N, 24\), got \(1200, 5\)")


def test_overwrite_replaces_the_json_file(arfc, fitted, tmp_path):
    (tmp_path / "scores.json").write_text("old")
    arfc("evaluate", fitted.features, "-m", fitted.model, "--json", "scores.json", "--overwrite")
    assert json.loads((tmp_path / "scores.json").read_text())["rows"] == 1200
