"""A plan in words: sizes, what they save, how sure that is, and what else would do."""

from arfc.evaluate.plan_text import format_plan


def answer(kept, *, size, dims=None):
    sizes = {"bytes": size} if dims is None else {"dims": dims, "bytes": size}
    saved = {"ratio": 1536 / size, "saved_bytes": 1536 - size, "saved_bytes_per_million": 1_000_000 * (1536 - size)}
    ends = {"retention": kept, "retention_low": kept - 0.01, "retention_high": kept + 0.01}
    return sizes | {"score": kept, "low": kept - 0.01, "high": kept + 0.01} | ends | saved


def entry(method, form, smallest, safe=None, best=None):
    return {"method": method, "form": form, "smallest": smallest, "safe": safe, "best": best or smallest}


def made(entries, cheaper):
    return {
        "keep": 0.95,
        "metric": "recall@10",
        "choosing_queries": 1000,
        "reporting_queries": 1001,
        "database_rows": 20_000,
        "uncompressed": {"score": 1.0, "low": 1.0, "high": 1.0},
        "methods": entries,
        "cheaper": cheaper,
        "notes": ["one"],
    }


def test_everything_that_is_known_is_said():
    entries = [
        entry("arfc", "bytes", answer(0.951, size=48), answer(0.965, size=64)),
        entry("klt", "bytes", answer(0.95, size=48), answer(0.96, size=60)),
        entry("int8", "bytes", answer(0.95, size=300)),
        entry("arfc", "floats", answer(1.0, size=1536, dims=384), answer(1.0, size=1536, dims=384)),
        entry("truncation", "floats", None, best=answer(0.9, size=1024, dims=256)),
    ]
    text = format_plan(made(entries, {"bytes": [{"method": "klt", "form": "bytes"}], "floats": []}))
    assert text.splitlines() == [
        "to keep 95 % of recall@10 (uncompressed 1.000): 1,000 held-out queries among 20,000 rows choose,",
        "1,001 others say what is kept, with 95 % intervals",
        "",
        "arfc codes: 48 bytes keep 95.1 % (94.1-96.1); the lower end does not",
        "  saves 1,488 bytes per vector, 1.49 GB per million; 32 times smaller than float32",
        "  to be safe: 64 bytes keep 96.5 % (95.5-97.5); the lower end keeps it too",
        "    saves 1,472 bytes per vector, 1.47 GB per million; 24 times smaller than float32",
        "  a cheaper method does it:",
        "    KLT + bits: 48 bytes keep 95.0 % (94.0-96.0)",
        "",
        "arfc floats: 384 dims (1,536 bytes) keep 100.0 % (99.0-101.0); the lower end keeps it too",
        "  saves nothing",
        "  to be safe: the same",
        "  no other method measured does it at no more bytes",
        "",
        "others",
        "  int8, first dims: 300 bytes keep 95.0 % (94.0-96.0)",
        "  truncated floats: at no size tried; the most is 256 dims (1,024 bytes) keep 90.0 % (89.0-91.0)",
        "",
        "note: one",
    ]


def test_what_falls_short_on_the_queries_that_report_is_said_to():
    entries = [
        entry("arfc", "bytes", answer(0.945, size=48)),
        entry("arfc", "floats", answer(0.93, size=400, dims=100), answer(0.95, size=480, dims=120)),
    ]
    lines = format_plan(made(entries, {"bytes": [], "floats": []})).splitlines()
    assert lines[3] == "arfc codes: 48 bytes keep 94.5 % (93.5-95.5); just short on these queries"
    assert lines[5] == "  to be safe: no size keeps 95 % with its whole interval"
    assert lines[8] == "arfc floats: 100 dims (400 bytes) keep 93.0 % (92.0-94.0); short on these queries"
    assert lines[10] == "  to be safe: 120 dims (480 bytes) keep 95.0 % (94.0-96.0); the lower end does not"
