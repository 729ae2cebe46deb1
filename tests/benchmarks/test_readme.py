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
    floats, _ = scores(measured["captions", "none"], "recall@10", "arfc")
    assert (
        f"96 bytes in place of 1,536 keep {100 * codes[96] / whole:.0f} % of the ten nearest neighbours as a code, "
        in said
    )
    assert f"as a code, {100 * floats[96] / whole:.0f} % as floats." in said


def test_how_long_rivals_of_one_size_have_trained(said, measured):
    rivals = [one for one in measured["captions", "none"].records if one["method"] in ("autoencoder", "q-former")]
    sizes = {len(one["tables"][0]["floats"]) for one in rivals}
    (seconds,) = {one["settings"]["budget_s"] / size for one in rivals for size in sizes}
    assert f"Rivals with one model per size have trained {seconds:.0f} s for each." in said


def test_what_codes_of_images_keep(said, measured):
    (table,) = (table for table in measured["muge", "none"].tables if table.metric == "recall@10")
    codes = [one for one in table.lines if one.form == "bytes" and one.kind in ("ours", "classic")]

    def kept(size):
        """Scores of arfc and of the best other code, and its name."""
        found = {one.method: one.cells[size].score.value for one in codes if size in one.cells}
        ours = found.pop("arfc")
        best = max(found, key=found.__getitem__)
        return f"{ours:.3f}"[1:], best, f"{found[best]:.3f}"[1:]

    (ours, best, theirs), (longer, longer_best, longer_theirs) = kept(16), kept(48)
    assert (best, longer_best) == ("rq", "klt + bits")
    assert f"16 bytes keep {ours} of them where RQ keeps {theirs}, 48 bytes {longer}" in said
    assert f"{longer} where KLT + bits keeps {longer_theirs};" in said


def test_how_far_rq_is_ahead_in_right_answers(said, measured):
    def ahead(name, metric):
        """Points by bytes."""
        ours, theirs = (scores(measured[name, "none"], metric, one, "bytes")[0] for one in ("arfc", "rq"))
        return {size: 100 * (theirs[size] - ours[size]) for size in theirs}

    captions, documents = (max(ahead(*one).values()) for one in (("captions", "R@1"), ("scifact", "nDCG@10")))
    one_way, other = sorted(ahead("myntra", f"R@1 {way}")[8] for way in ("images to texts", "texts to images"))
    told = f"RQ is ahead by up to {captions:.1f} points for another caption of the image, ".replace(" 0.", " .")
    assert f"{told}by up to {documents:.1f} for SciFact's documents, and on Myntra's" in said
    assert f"and on Myntra's thousand products by {one_way:.0f} to {other:.0f} at 8 bytes." in said


def test_in_how_many_fits_the_transformer_came_in(said, measured):
    came = {"none": [], "labels": [], "pairs": []}
    for study in measured.values():
        own = [one for one in study.records if one["method"] == "arfc" and one["variant"] == study.variant]
        came[study.variant] += [any(one["settings"]["opening"]) for one in own]
    assert not any(came["none"])
    (labelled, of_labels), (paired, of_pairs) = (
        (NUMBERS[sum(came[told])], NUMBERS[len(came[told])]) for told in ("labels", "pairs")
    )
    assert "The transformer has improved no set on validation rows" in said
    assert (
        f"the transformer stayed in {labelled} of {of_labels} fits on record, with pairs in {paired} of {of_pairs}."
        in said
    )


def test_what_passes_the_uncompressed_vectors(said, measured):
    assert "Retrieval scores pass those of the uncompressed vectors from some size on;" in said
    assert "the accuracy of a linear probe stays within .004 of theirs from 16 dims or bytes on." in said
    for name in ("cifar10", "food10"):
        study = measured[name, "labels"]
        found, whole = scores(study, "mAP@R by class", "arfc", "bytes")
        assert max(found.values()) > whole
        for form, least in (("bytes", 16), ("floats", 4 * 16)):
            found, whole = scores(study, "linear probe accuracy", "arfc", form)
            assert all(abs(found[size] - whole) <= 0.004 for size in found if size >= least)
    for key, metric in ((("captions", "labels"), "R@1"), (("scifact", "pairs"), "nDCG@10")):
        found, whole = scores(measured[key], metric, "arfc", "bytes")
        assert max(found.values()) > whole


def test_where_others_are_ahead(said, measured):
    assert "With SciFact's pairs an MLP adaptor's floats at most sizes, at 8 dims by sixteen points;" in said
    assert (
        "on CIFAR-10 with labels by up to .9 points in R@1, while they lie up to half a point below ours in mAP@R."
        in said
    )
    cifar, scifact = measured["cifar10", "labels"], measured["scifact", "pairs"]
    for metric, least, most in (("mAP@R by class", -0.005, 0.0), ("R@1 by class", 0.002, 0.0095)):
        ours, theirs = (scores(cifar, metric, method)[0] for method in ("arfc", "mlp-adaptor"))
        gaps = [theirs[size] - ours[size] for size in ours]
        assert least <= min(gaps) and max(gaps) <= most
    ours, theirs = (scores(scifact, "nDCG@10", method)[0] for method in ("arfc", "mlp-adaptor"))
    assert sum(theirs[size] > ours[size] for size in ours) > len(ours) / 2
    assert theirs[4 * 8] - ours[4 * 8] == pytest.approx(0.16, abs=0.005)


def test_what_is_lost_without_the_transformer(said, measured):
    def lost(name, metric):
        """Points by dims."""
        ours, without = (scores(measured[name, "labels"], metric, one)[0] for one in ("arfc", "linear map alone"))
        return {size // 4: 100 * (ours[size] - without[size]) for size in without}

    cifar = lost("cifar10", "mAP@R by class")
    long = [points for dims, points in cifar.items() if dims >= 16]
    told = f"loses {min(long):.1f} to {max(long):.1f} points of mAP@R from 16 dims on and {cifar[8]:.1f} at 8;"
    assert f"Without it CIFAR-10 {told} captions lose nothing that can be measured." in said
    assert max(map(abs, lost("captions", "R@1").values())) < 0.3


def test_where_floats_are_below_the_klt(said, measured):
    def below(name, metric):
        ours, theirs = (scores(measured[name, "none"], metric, method)[0] for method in ("arfc", "klt"))
        return {size // 4: theirs[size] - ours[size] for size in ours}

    food = below("food10", "mAP@R by class")
    lost = f"{100 * food[16]:.1f} points"
    assert f"on Food-101 by {lost} at 16 dims and up to three at 32 to 128, on Myntra by up to two." in said
    assert max(food[dims] for dims in (32, 64, 128)) < 0.03
    for way in ("R@1 texts to images", "R@1 images to texts"):
        assert max(below("myntra", way).values()) < 0.02
