"""What the README says in words of the records is what they say."""

from pathlib import Path

import pytest

from _records import read, studies

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@pytest.fixture(scope="module")
def said():
    return " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def measured():
    return {(study.set, study.variant): study for study in studies(read(ROOT / "benchmarks/records/quality.jsonl"))}


def scores(study, metric, method, form="floats"):
    """Scores by bytes, of methods that were told what the study tells."""
    (table,) = (table for table in study.tables if table.metric == metric)
    lines = [one for one in table.lines if (one.method, one.form, one.variant) == (method, form, study.variant)]
    return {size: cell.score.value for size, cell in lines[0].cells.items()}, table.uncompressed.value


def test_what_96_bytes_keep(said, measured):
    codes, whole = scores(measured["captions", "none"], "recall@10", "arfc", "bytes")
    assert f"96 bytes in place of 1,536 keep {100 * codes[96] / whole:.0f} % of the ten nearest" in said


def test_in_how_many_fits_the_transformer_came_in(said, measured):
    came = {"none": [], "labels": [], "pairs": []}
    for study in measured.values():
        own = [one for one in study.records if one["method"] == "arfc" and one["variant"] == study.variant]
        came[study.variant] += [any(one["settings"]["opening"]) for one in own]
    assert not any(came["none"]) and all(came["labels"])
    kept, fits = NUMBERS[sum(came["pairs"])], NUMBERS[len(came["pairs"])]
    assert "the transformer has improved no set on validation rows" in said
    assert f"With labels the transformer stayed in every fit on record, with pairs in {kept} of {fits}." in said


def test_what_passes_the_uncompressed_vectors(said, measured):
    assert (
        "then pass those of the uncompressed vectors from some size on; the accuracy of a linear probe does not" in said
    )
    for name in ("cifar10", "food10"):
        study = measured[name, "labels"]
        found, whole = scores(study, "mAP@R by class", "arfc", "bytes")
        assert max(found.values()) > whole
        probes = [scores(study, "linear probe accuracy", "arfc", form) for form in ("bytes", "floats")]
        assert all(max(found.values()) <= whole for found, whole in probes)
    for key, metric in ((("captions", "labels"), "R@1"), (("scifact", "pairs"), "nDCG@10")):
        found, whole = scores(measured[key], metric, "arfc", "bytes")
        assert max(found.values()) > whole


def test_where_others_are_ahead(said, measured):
    assert "on CIFAR-10 an MLP adaptor's floats are ahead of ours, with SciFact's pairs at full width, too." in said
    cifar, scifact = measured["cifar10", "labels"], measured["scifact", "pairs"]
    ours, _ = scores(cifar, "mAP@R by class", "arfc")
    theirs, _ = scores(cifar, "mAP@R by class", "mlp-adaptor")
    assert all(theirs[size] > ours[size] for size in ours)
    full = 4 * 384
    assert scores(scifact, "nDCG@10", "mlp-adaptor")[0][full] > scores(scifact, "nDCG@10", "arfc")[0][full]


def test_what_the_transformer_adds(said, measured):
    assert "From 64 dims on the transformer adds one to two points of mAP@R on CIFAR-10 to a linear map trained" in said
    assert "and less than one point of R@1 on captions; fewer dims gain more." in said
    for key, metric, low, high in (
        (("cifar10", "labels"), "mAP@R by class", 0.01, 0.0205),
        (("captions", "labels"), "R@1", 0.0, 0.01),
    ):
        ours, theirs = (scores(measured[key], metric, name)[0] for name in ("arfc", "learned-linear"))
        long = [ours[size] - theirs[size] for size in ours if size >= 4 * 64]
        assert low <= min(long) and max(long) <= high
        assert ours[4 * 8] - theirs[4 * 8] > max(long)


def test_where_floats_are_below_the_klt(said, measured):
    assert "floats of 16 and 32 dims lie up to four points below the KLT in retrieval, longer ones up to two." in said
    for name, metrics in (("food10", ["mAP@R by class"]), ("myntra", ["R@1 texts to images", "R@1 images to texts"])):
        for metric in metrics:
            ours, theirs = (scores(measured[name, "none"], metric, method)[0] for method in ("arfc", "klt"))
            below = {size: theirs[size] - ours[size] for size in ours}
            assert all(0 < below[4 * dims] < 0.04 for dims in (16, 32))
            assert all(gap <= 0.02 for size, gap in below.items() if size > 4 * 32)
