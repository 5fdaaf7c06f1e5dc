"""How a model does on real texts, source by source.

    python benchmarks/realworld.py FILE [--model MODEL] [--against OTHER]

FILE is a labelled table with the columns text, label and, for a row per source, source. Of every source: the
share of rows in scope that are right by the probabilities of the labels in scope alone ("in scope": BPO against
KPO), the share of all labelled rows that are right, the share accepted, the share of the accepted that is right
with its interval (Wilson, 1927; a text that says too little is never right), the recall of the label out of
scope, and the share of rows in scope that get it ("false alarms"). With --against, the paired difference to
another model with its bootstrap interval. Written as Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from outsort.data import dataset
from outsort.evaluation.compare import judge
from outsort.evaluation.evaluate import Answers, answer
from outsort.model_file import load

COLUMNS = ("source", "rows", "in scope", "all labels", "accepted", "right of accepted", "recall", "false alarms")


def share(of: np.ndarray, among: np.ndarray) -> str:
    return f"{of[among].mean():.3f}" if among.any() else ""


def figures(a: Answers, rows: np.ndarray) -> list[str]:
    inside = in_scope(a)
    known = np.isin(a.labels, a.names) & rows
    within = right_in_scope(a)
    right = a.predicted == a.labels
    is_out, said_out = a.labels == a.out_of_scope, a.predicted == a.out_of_scope
    accepted = a.accepted & rows
    of_accepted = share(right, accepted)
    if accepted.any():
        interval = binomtest(int(right[accepted].sum()), int(accepted.sum())).proportion_ci(method="wilson")
        of_accepted += f" ({interval.low:.2f} to {interval.high:.2f})"
    return [
        str(int(rows.sum())),
        share(within, rows & inside),
        share(right, known),
        share(a.accepted, rows),
        of_accepted,
        share(said_out, rows & is_out),
        share(said_out, rows & inside),
    ]


def in_scope(a: Answers) -> np.ndarray:
    return np.isin(a.labels, [name for name in a.names if name != a.out_of_scope])


def right_in_scope(a: Answers) -> np.ndarray:
    inside = [i for i, name in enumerate(a.names) if name != a.out_of_scope]
    return np.array(a.names)[inside][a.proba[:, inside].argmax(axis=1)] == a.labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--against", type=Path, help="another model, for the paired difference")
    parser.add_argument("--together", nargs="*", default=[], help="sources to add a row for, joined by +")
    options = parser.parse_args()
    model = load(options.model)
    data = dataset.read(options.file, known_labels=model.labels, for_training=False)
    answers = answer(model, data)
    sources = np.array(data.frame["source"] if "source" in data.frame else [options.file.name] * len(data.texts))
    groups = {name: sources == name for name in dict.fromkeys(sources)}
    groups |= {names: np.isin(sources, names.split("+")) for names in options.together}
    groups["all"] = np.ones(len(sources), bool)
    other = answer(load(options.against), data) if options.against else None
    columns = [*COLUMNS, *(["difference in scope"] if other else [])]
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for name, rows in groups.items():
        cells = [name, *figures(answers, rows)]
        if other is not None:
            kept = rows & in_scope(answers)
            gain = right_in_scope(answers)[kept].astype(int) - right_in_scope(other)[kept]
            found = judge(gain, np.ones(len(gain)))
            cells.append(f"{found.difference:+.3f} ({found.interval[0]:+.3f} to {found.interval[1]:+.3f})")
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
