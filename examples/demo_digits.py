"""The demo's table in half a minute, on scikit-learn's digits: their 64 pixels are the features, no encoder is needed.

Run it with `make demo-digits`. Letters: N rows, Q queries, D feature dims.
"""

import numpy as np
from sklearn.datasets import load_digits

from _table import compare, format_lines, step
from arfc import Compressor

FIT_ROWS = 1_200
SCORED_QUERIES = 150
BUDGET = "20s"


def main() -> None:
    pixels_ND = load_digits().data.astype(np.float32)
    pixels_ND = pixels_ND[np.random.default_rng(0).permutation(len(pixels_ND))]
    fit_ND, scored_QD, database_ND = np.split(pixels_ND, [FIT_ROWS, FIT_ROWS + SCORED_QUERIES])
    with step(f"fitting one arfc model on {len(fit_ND):,} digits, for {BUDGET} at most"):
        model = Compressor.fit(fit_ND, seed=0, budget=BUDGET)
    title = f"recall@10 of {len(scored_QD)} held-out queries among {len(database_ND)} other held-out rows"
    with step(f"measuring {title}"):
        lines = compare(model, fit_ND=fit_ND, queries_QD=scored_QD, rows_ND=database_ND)
    print(f"\n{title}; gain = points ahead of the better of KLT and truncation\n")
    print(format_lines(lines))


if __name__ == "__main__":
    main()
