"""Search for the smallest number of dims in a scikit-learn pipeline, with one fit per fold for all sizes.

Run it with `python examples/with_scikit_learn.py`. Letters: N rows, D feature dims.
"""

import tempfile
import time

from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from arfc.config import Config, TrainConfig
from arfc.integrations.sklearn import ArfcTransformer

# The linear map alone, and few rounds for codes, for speed.
CONFIG = Config(train=TrainConfig(linear_steps=50, arc_steps=0, decoder_steps=0, code_rounds=5))
DIMS = (2, 4, 6, 8, 16, 32)
FOLDS = 3


def main() -> None:
    x_ND, digits_N = load_digits(return_X_y=True)
    fit_ND, test_ND, fit_N, test_N = train_test_split(x_ND, digits_N, test_size=0.25, random_state=0)
    print(
        f"{len(fit_ND)} images of digits with {fit_ND.shape[1]} pixels, {FOLDS} folds, nearest neighbours by cosine\n"
    )
    with tempfile.TemporaryDirectory() as cache:
        ways = {
            "arfc, with classes": ("dims", DIMS, ArfcTransformer(config=CONFIG, cache=cache)),
            "LDA, with classes": ("n_components", DIMS[:4], LinearDiscriminantAnalysis()),  # has 9 dims at most
            "TruncatedSVD": ("n_components", DIMS, TruncatedSVD(random_state=0)),
        }
        print(f"{'accuracy on the folds':<24}" + "".join(f"{dims:>3} dims" for dims in DIMS))
        found = {}
        for name, (size, grid, transformer) in ways.items():
            pipeline = Pipeline([("small", transformer), ("nearest", KNeighborsClassifier(5, metric="cosine"))])
            started = time.perf_counter()
            found[name] = GridSearchCV(pipeline, {f"small__{size}": grid}, cv=FOLDS).fit(fit_ND, fit_N)
            scores = found[name].cv_results_["mean_test_score"]
            print(f"{name:<24}" + "".join(f"{score:>8.3f}" for score in scores).ljust(8 * len(DIMS)), end="")
            print(f"   {time.perf_counter() - started:.1f} s")
    print()
    for name, search in found.items():
        best = next(iter(search.best_params_.values()))
        print(f"{name}: {best} dims chosen, {search.score(test_ND, test_N):.3f} of the {len(test_N)} test images right")


if __name__ == "__main__":
    main()
