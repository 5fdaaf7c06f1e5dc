"""How often the shipped taxonomy's categories are right, on rows that a model has not seen.

Models learn `data/tasks.csv` on folds: random ones, and ones that leave whole service lines out. Their labels are
calibrated as those of the default model. A row's category is that of its line. Written as Markdown.

    python benchmarks/taxonomy.py
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from outsort import taxonomy
from outsort.data.dataset import Dataset, read
from outsort.model import Model
from outsort.model_file import load
from outsort.scoring.kernel import Kernel
from outsort.training import folds, train

ROOT = Path(__file__).parents[1]
#: Confidence from which precision is stated, and the fewest lines of a category whose lines are left out.
CONFIDENT, FEWEST = 0.8, 3


def part(rows: Dataset, kept: np.ndarray) -> Dataset:
    texts, labels, lines = ([column[i] for i in kept] for column in (rows.texts, rows.labels, rows.lines))
    return replace(rows, frame=rows.frame.iloc[kept], texts=texts, labels=labels, lines=lines)


def held_out_scores(model: Model, rows: Dataset, splits) -> dict[str, np.ndarray]:
    """Return the scores of labels and lines of held-out rows, before calibration; -inf for lines left out."""
    labels, lines = (
        np.empty((len(rows.texts), len(model.labels))),
        np.full((len(rows.texts), len(model.lines)), -np.inf),
    )
    for kept, out in splits:
        fitted = train.train(part(rows, kept), checks=folds.Checks(folds=0))
        answers = Kernel(replace(fitted, later=model.later), 2).answer([rows.texts[i] for i in out], with_lines=True)
        labels[out] = np.log(np.maximum(answers.proba, 1e-300))
        lines[np.ix_(out, [list(model.lines).index(line) for line in fitted.lines])] = answers.line_scores
    return {"labels": labels, "lines": lines}


def show(scheme: str, axis: taxonomy.Axis, model: Model, rows: Dataset, proba: np.ndarray) -> None:
    of_line = axis.weights.argmax(axis=1)
    n_lines = np.bincount(of_line, minlength=len(axis.codes))
    actual = of_line[[list(model.lines).index(line) for line in rows.lines]]
    kept = n_lines[actual] >= FEWEST
    found = axis.proba(proba)[kept]
    right, confidence = found.argmax(axis=1) == actual[kept], found.max(axis=1)
    sure = confidence >= CONFIDENT
    figures = f"{right.mean():.3f} | {right[sure].mean():.3f} | {sure.mean():.3f}"
    print(f"| {scheme} | {axis.name} | {kept.sum():,} | {figures} |")
    for i, code in enumerate(axis.codes):
        of_code = actual[kept] == i
        if of_code.any():
            recall, precision = right[of_code].mean(), right[found.argmax(axis=1) == i].mean()
            print(f"| {scheme} | {axis.name}: {code}, {n_lines[i]} lines | {of_code.sum():,} | {recall:.3f} ", end="")
            print(f"| {precision:.3f} (precision) | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--taxonomy", default="market")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="folder to keep the scores of held-out rows in, or to take them from")
    options = parser.parse_args()
    model = load()
    categories = taxonomy.load(options.taxonomy, model)
    tasks = read(ROOT / "data" / "tasks.csv", clauses=ROOT / "data" / "clauses.csv")
    random = StratifiedKFold(options.folds, shuffle=True, random_state=0).split(tasks.texts, tasks.lines)
    whole = StratifiedGroupKFold(options.folds, shuffle=True, random_state=0)
    whole = whole.split(tasks.texts, tasks.labels, tasks.lines)
    print(f"| folds | axis | rows | right | right from {CONFIDENT} | share from {CONFIDENT} |\n|" + "---|" * 6)
    for scheme, splits in (("random", random), ("lines left out", whole)):
        kept = options.keep and options.keep / f"{scheme}.npz"
        scores = np.load(kept) if kept and kept.exists() else held_out_scores(model, tasks, splits)
        if kept and not kept.exists():
            np.savez(kept, **scores)
        proba = model.line_proba(np.exp(model.log_proba(scores["labels"])), scores["lines"])
        for axis in categories.axes:
            show(scheme, axis, model, tasks, proba)


if __name__ == "__main__":
    main()
