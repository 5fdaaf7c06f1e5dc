"""How often the promise of `outsort certify` is broken, and how much it lets go unread.

    python benchmarks/certify.py FILE [--sources a+b] [--model MODEL] [--samples 1000] [--size 200] [--target 0.95 0.9]

FILE is a labelled table with the columns text and label and, for --sources, source. Its rows are the population.
Samples are drawn from it with replacement, the model is certified on each, and its promise is held against all
rows: it is broken where fewer of the accepted answers are right than promised (a text that says too little is
never right). Of --samples: the share certified, the share broken with its interval (Clopper and Pearson, 1934;
99 %), and of the certified the share of the population accepted and its precision. Written as Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from outsort.data import dataset
from outsort.evaluation.evaluate import answer
from outsort.improving.certify import certify_model
from outsort.improving.review import DRAWN
from outsort.model import Model
from outsort.model_file import load


def certified(model: Model, rows: pd.DataFrame, size: int, target: float, seed: int) -> tuple[float, float] | None:
    """Return the share of the rows that a model certified on a sample of them accepts, and its precision."""
    drawn = np.bincount(np.random.default_rng(seed).integers(len(rows), size=size), minlength=len(rows))
    frame = rows.assign(**{DRAWN: drawn})[drawn > 0]
    sample = dataset.read(frame, known_labels=model.labels, for_training=False)
    own, result = certify_model(model, sample, target_precision=target, seed=seed)
    if not result.certificate.coverage:
        return None
    found = answer(own, dataset.read(rows, known_labels=model.labels, for_training=False))
    right = found.predicted == found.labels
    return float(found.accepted.mean()), float(right[found.accepted].mean()) if found.accepted.any() else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--sources", help="only rows of these, joined by +")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--size", type=int, nargs="*", default=[200])
    parser.add_argument("--target", type=float, nargs="*", default=[0.95])
    options = parser.parse_args()
    model = load(options.model)
    rows = pd.read_csv(options.file, dtype=str, keep_default_na=False)
    if options.sources:
        rows = rows[rows["source"].isin(options.sources.split("+"))]
    print("| promised | labels | certified | broken (99 %) | accepted | precision |\n|" + "---|" * 6)
    for target in options.target:
        for size in options.size:
            tasks = (joblib.delayed(certified)(model, rows, size, target, seed) for seed in range(options.samples))
            found = [one for one in joblib.Parallel(n_jobs=-1)(tasks) if one]
            n_broken = sum(precision < target for _, precision in found)
            interval = binomtest(n_broken, options.samples).proportion_ci(0.99)
            broken = f"{n_broken / options.samples:.3f} ({interval.low:.3f} to {interval.high:.3f})"
            means = [f"{mean:.3f}" for mean in np.mean(found, axis=0)] if found else ["", ""]
            print(f"| {target} | {size} | {len(found) / options.samples:.3f} | {broken} | {' | '.join(means)} |")


if __name__ == "__main__":
    main()
