"""How often the intervals of `outsort score`'s summary cover the true money of a label, in files of known labels.

    python benchmarks/intervals.py

A part of the dataset is answered out of fold: of every row by a model that was not trained on it, once with other rows
of its service line (random folds), once without any (unseen service lines). Files are then drawn from these rows with
replacement and given money, equal or heavy-tailed:

- as the dataset: every genre, which is the source of a text, in its share;
- another mix: genres in shares drawn at random, so that some dominate;
- few service lines: 5 to 30, in shares drawn at random, which is the hardest.

The true money of a label is known from the labels. Reported is the share of intervals that cover it, over files and
labels, and half their width as a share of the file's money; beside it, what intervals cover that take rows for
independent (Poisson binomial).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from outsort.numeric import LEVEL
from outsort.scoring.kernel import Kernel
from outsort.scoring.summary import interval
from outsort.training import folds, train

ROOT = Path(__file__).parents[1]
SIZES = (100, 1000, 10_000)


class Answers(NamedTuple):
    """Out-of-fold answers: probabilities (n, n_labels), truth likewise of 0 and 1, service line said (n,)."""

    proba: np.ndarray
    truth: np.ndarray
    line: np.ndarray


def out_of_fold(tasks: pd.DataFrame, splits) -> Answers:
    names = sorted(set(tasks["service_line"]))
    proba, truth, line = (np.zeros((len(tasks), 3)), np.zeros((len(tasks), 3)), np.zeros(len(tasks), np.int64))
    for rows, out in splits:
        model = train.train(tasks.iloc[rows], checks=folds.Checks(folds=3))
        found = Kernel(model).answer(tasks["text"].iloc[out].tolist())
        of_name = np.array([names.index(name) for name in model.lines])
        # What has no known term has no service line.
        proba[out], line[out] = found.proba, np.where(found.n_terms > 0, of_name[found.line], len(names))
        truth[out] = tasks["label"].to_numpy()[out, None] == np.array(model.labels)
    return Answers(proba, truth, line)


def drawn(tasks: pd.DataFrame, kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the rows of a file of n rows."""
    if kind == "as the dataset":
        return rng.integers(0, len(tasks), n)
    column = tasks["genre" if kind == "another mix" else "service_line"].to_numpy()
    values = np.unique(column)
    if kind == "few service lines":
        values = rng.choice(values, rng.integers(5, 31), replace=False)
    # As many as a Dirichlet distribution gives; below 1 some dominate.
    shares = rng.dirichlet(np.full(len(values), 0.5 if kind == "another mix" else 1.0))
    counts = rng.multinomial(n, shares)
    rows = [rng.choice(np.flatnonzero(column == value), k) for value, k in zip(values, counts, strict=True) if k]
    return np.concatenate(rows)


def covered(answers: Answers, rows: np.ndarray, money: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return whether intervals cover the money of each label, whether one of independent rows does, half a width."""
    w, p = money[:, None], answers.proba[rows]
    true, expected, total = (w * answers.truth[rows]).sum(axis=0), (w * p).sum(axis=0), money.sum()
    s = w * np.sqrt(p * (1 - p))
    variance, n_lines = (s**2).sum(axis=0), answers.line.max() + 2
    deviations = np.stack([np.bincount(answers.line[rows], of_label, n_lines) for of_label in s.T], axis=1)
    low, high = interval(expected, variance, deviations, total).T
    tiny = 1e-9 * total
    independent = np.abs(true - expected) <= 1.96 * np.sqrt(variance) + tiny
    return (low - tiny <= true) & (true <= high + tiny), independent, float(((high - low) / 2 / total).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=4000, help="rows of the dataset to train on and answer")
    parser.add_argument("--files", type=int, default=200, help="files of each kind and size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    tasks = pd.read_csv(ROOT / "data" / "tasks.csv", keep_default_na=False)
    tasks = tasks.sample(options.rows, random_state=options.seed).reset_index(drop=True)
    splits = {
        "random folds": StratifiedKFold(4, shuffle=True, random_state=options.seed).split(tasks, tasks["label"]),
        "unseen service lines": StratifiedGroupKFold(4, shuffle=True, random_state=options.seed).split(
            tasks, tasks["label"], tasks["service_line"]
        ),
    }
    rng = np.random.default_rng(options.seed)
    figures = []
    print(f"| held out | files | rows | covered by the {LEVEL:.0%} interval | half width | if rows were independent |")
    print("|---|---|---|---|---|---|")
    for scheme, of_scheme in splits.items():
        answers = out_of_fold(tasks, of_scheme)
        for kind in ("as the dataset", "another mix", "few service lines"):
            for n in SIZES:
                files = []
                for i in range(options.files):
                    money = rng.lognormal(8, 1.5, n) if i % 2 else np.ones(n)
                    files.append(covered(answers, drawn(tasks, kind, n, rng), money))
                ours, independent = (float(np.mean([file[k] for file in files])) for k in (0, 1))
                width = float(np.mean([file[2] for file in files]))
                figures.append({"held_out": scheme, "files": kind, "rows": n, "covered": ours, "half_width": width})
                figures[-1]["independent"] = independent
                print(f"| {scheme} | {kind} | {n:,} | {ours:.1%} | {width:.1%} | {independent:.1%} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
