"""How fast is a model fitted, and how near does it come to the best one, beside scikit-learn's solvers?

Each solver fits the same regression, over the service lines of `data/tasks.csv`, to the same vectors with the
same penalty. Its time is given as a multiple of outsort's in the same run, and how far its penalised loss
lies above the least that any of them found. Written as Markdown.

    python benchmarks/training.py
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from outsort import text
from outsort.data import dataset
from outsort.training.fitting import Settings
from outsort.training.softmax import fit_softmax

ROOT = Path(__file__).parents[1]
SETTINGS = Settings()


def outsort(passes):
    def fit(vectors, lines):
        return fit_softmax(vectors, lines, C=SETTINGS.C, passes=passes, steps=1, seed=SETTINGS.seed)

    return fit


def scikit_learn(**options):
    def fit(vectors, lines):
        fitted = LogisticRegression(C=SETTINGS.C, random_state=SETTINGS.seed, **options).fit(vectors, lines)
        return fitted.classes_.tolist(), fitted.coef_, fitted.intercept_

    return fit


SOLVERS = {
    f"outsort, {SETTINGS.passes} passes, as shipped": outsort(SETTINGS.passes),
    "outsort, 2 passes": outsort(2),
    "outsort, 20 passes": outsort(20),
    "sag, tolerance 0.2": scikit_learn(solver="sag", tol=0.2),
    "sag, tolerance 0.05": scikit_learn(solver="sag", tol=0.05),
    "sag, tolerance 0.01": scikit_learn(solver="sag", tol=0.01, max_iter=1000),
    "saga, tolerance 0.02": scikit_learn(solver="saga", tol=0.02),
    "lbfgs, 30 steps": scikit_learn(solver="lbfgs", max_iter=30),
    "lbfgs, 100 steps": scikit_learn(solver="lbfgs", max_iter=100),
}


def penalised_loss(vectors, lines, fitted):
    classes, weights, bias = fitted
    log_proba = log_softmax(vectors @ weights.T + bias, axis=1)
    of_lines = log_proba[np.arange(len(lines)), np.searchsorted(classes, lines)]
    return -SETTINGS.C * of_lines.sum() + (weights**2).sum() / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=ROOT / "data" / "tasks.csv")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = dataset.read(options.data)
    lines = np.array(data.lines)
    vectors = TfidfVectorizer(analyzer=text.terms, binary=True, min_df=3, dtype=np.float32).fit_transform(data.texts)
    # The first call compiles, or loads what was compiled.
    outsort(1)(vectors[:200], lines[:200])
    seconds, losses = {}, {}
    for name, fit in SOLVERS.items():
        start = time.perf_counter()
        fitted = fit(vectors, lines)
        seconds[name] = time.perf_counter() - start
        losses[name] = penalised_loss(vectors, lines, fitted)
    first, least = next(iter(seconds.values())), min(losses.values())
    print("| solver | seconds | times outsort's | penalised loss above the least |\n|---|---|---|---|")
    for name in SOLVERS:
        print(f"| {name} | {seconds[name]:.1f} | {seconds[name] / first:.1f} | {losses[name] / least - 1:.2%} |")
    print(f"\n{vectors.shape[0]:,} rows, {vectors.shape[1]:,} terms, {len(set(lines.tolist()))} lines")


if __name__ == "__main__":
    main()
