"""Pooling over folds and seeds against values worked out by hand; what counts, and what is refused."""

import json
from math import sqrt

import pytest

from _records import Interval, pooled, read, studies


def test_one_measurement_stays_as_it_is():
    assert pooled([[Interval(0.5, 0.45, 0.52)]]) == pytest.approx((0.5, 0.45, 0.52))


def test_folds_are_averaged():
    # Half widths below: sqrt(.03^2 + .04^2) / 2; above: sqrt(.06^2 + .08^2) / 2.
    folds = [Interval(0.4, 0.37, 0.46), Interval(0.6, 0.56, 0.68)]
    assert pooled([folds]) == pytest.approx((0.5, 0.475, 0.55))


def test_seeds_add_their_spread_to_the_noise_of_the_queries():
    # Student's t for three seeds is 4.3027; their standard deviation .02 leaves 4.3027 * .02 / sqrt(3) = .04968.
    seeds = [[Interval(value, value - 0.03, value + 0.01)] for value in (0.48, 0.50, 0.52)]
    spread = 4.30265 * 0.02 / sqrt(3)
    expected = (0.5, 0.5 - sqrt(0.03**2 + spread**2), 0.5 + sqrt(0.01**2 + spread**2))
    assert pooled(seeds) == pytest.approx(expected, abs=1e-6)
    same = [[Interval(0.5, 0.46, 0.5)], [Interval(0.5, 0.5 - 0.08, 0.5)]]
    assert pooled(same) == pytest.approx((0.5, 0.5 - sqrt((0.04**2 + 0.08**2) / 2), 0.5))


def test_cells_are_pooled_by_size(record, cell):
    records = [
        record(seed=0, codes={8: cell(0.4), 16: cell(0.7)}),
        record(seed=1, codes={8: cell(0.6), 16: None}),
    ]
    (study,) = studies(records)
    (line,) = study.tables[0].lines
    assert {size: one.score.value for size, one in line.cells.items()} == pytest.approx({8: 0.5, 16: 0.7})
    assert line.cells[8].retention.value == pytest.approx(0.5)
    assert (line.form, line.cells[8].dims) == ("bytes", None)


def test_the_newest_measurement_counts(record, cell):
    records = [
        record(codes={8: cell(0.3)}, date="2026-02-02"),
        record(codes={8: cell(0.4)}, date="2026-02-02"),
        record(codes={8: cell(0.1)}, date="2026-01-01"),
    ]
    (study,) = studies(records)
    assert study.tables[0].lines[0].cells[8].score.value == 0.4
    assert len(study.records) == 1


def test_a_seed_counts_when_it_has_all_folds(record, cell):
    records = [record(fold=fold, codes={8: cell(0.5 + 0.1 * fold)}) for fold in (0, 1)]
    records += [record(seed=1, codes={8: cell(0.9)}), record("opq", fold=1, codes={8: cell(0.8)})]
    (study,) = studies(records)
    assert [line.method for line in study.tables[0].lines] == ["arfc"]
    assert study.tables[0].lines[0].cells[8].score.value == pytest.approx(0.55)
    assert study.tables[0].queries == 200
    assert study.left_out == ["opq"]


def test_a_study_with_labels_has_what_was_fitted_without(record, cell):
    some = {8: cell(0.5)}
    records = [record(method, codes=some) for method in ("arfc", "opq", "autoencoder", "ARC alone")]
    records += [record(method, codes=some, variant="labels") for method in ("arfc", "autoencoder")]
    plain, told = studies(records)
    assert (plain.variant, told.variant) == ("none", "labels")
    assert {(line.method, line.variant) for line in told.tables[0].lines} == {
        ("arfc", "labels"),
        ("autoencoder", "labels"),
        ("opq", "none"),
    }


def test_a_metric_that_a_method_lacks_is_missing_there_alone(record, cell):
    one, other = record(codes={8: cell(0.5)}), record("opq", codes={8: cell(0.4)})
    one["tables"].append({**one["tables"][0], "metric": "R@1"})
    (study,) = studies([one, other])
    assert [[line.method for line in table.lines] for table in study.tables] == [["arfc", "opq"], ["arfc"]]


def test_measurements_on_other_data_are_refused(record, cell):
    records = [record(codes={8: cell(0.5)}), record("opq", codes={8: cell(0.5)}, data_sha256="other")]
    with pytest.raises(SystemExit, match="captions, fold 0, must have one data_sha256, got two .*delete those of the"):
        studies(records)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ('{"task": "captions", "result": {}}', r"line 2 of quality\.jsonl must have commit, .*another version"),
        ("[1]", "line 2 .* must have commit"),
        ("{oops", "line 2 .* must be a JSON object, got '{oops'"),
        ("variant", "line 2 .* must have as variant one of none, labels, pairs, got 'x'"),
        ("kind", "line 2 .* must have as kind one of ours, learned, classic, ablation, got 'x'"),
        ("tables", "line 2 .* must have tables with bytes, floats, metric"),
    ],
)
def test_other_records_are_refused(tmp_path, record, cell, line, match):
    good = record(codes={8: cell(0.5)})
    if line in good:
        line = json.dumps(good | {line: [{"metric": "R@1"}] if line == "tables" else "x"})
    path = tmp_path / "quality.jsonl"
    path.write_text(f"{json.dumps(good)}\n{line}\n")
    with pytest.raises(SystemExit, match=match):
        read(path)


def test_records_must_be_there(tmp_path):
    with pytest.raises(SystemExit, match=r"records must lie in .*none\.jsonl; run benchmarks/quality\.py"):
        read(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(SystemExit, match="must have records, got none"):
        read(tmp_path / "empty.jsonl")
