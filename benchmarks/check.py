"""How long does `outsort check` take on long texts, beside a plain cross-validation by scikit-learn?

The texts are rows of `data/tasks.csv`, joined within their service line up to the length asked for. Each step
is given in seconds and as a multiple of the time that scikit-learn takes, in the same run, to count the
words of the same texts and answer each from a logistic regression over five folds. Written as Markdown.

    python benchmarks/check.py
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from outsort.improving.check import Limits, check, label_errors, style_test
from outsort.improving.lopsided import lopsided_words
from outsort.improving.near_duplicates import near_duplicates
from outsort.labels import NEITHER

ROOT = Path(__file__).parents[1]


def long_texts(data: pd.DataFrame, n: int, characters: int) -> pd.DataFrame:
    """Return n rows of `text`, `label` and `service_line`, each text about so many characters long."""
    rows = []
    answered = data[data["label"] != NEITHER].sample(frac=1, random_state=0)
    for (line, label), of_line in answered.groupby(["service_line", "label"]):
        text = ""
        for part in of_line["text"]:
            text = f"{text} {part}".lstrip()
            if len(text) >= characters:
                rows.append((text[: characters + 20], label, line))
                text = ""
    if len(rows) < n:
        raise SystemExit(f"the data make {len(rows):,} texts of {characters} characters only")
    return pd.DataFrame(rows, columns=["text", "label", "service_line"]).sample(n, random_state=0)


def cross_validated(texts, labels):
    model = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000))
    # On small data its threads hinder each other, more so where other programs are running.
    with threadpool_limits(1):
        return cross_val_predict(model, texts, labels, cv=5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default=ROOT / "data" / "tasks.csv")
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--characters", type=int, default=280)
    options = parser.parse_args()
    frame = long_texts(pd.read_csv(options.data), options.rows, options.characters)
    texts, labels, lines = (frame[name].tolist() for name in ("text", "label", "service_line"))
    # The first call imports and compiles, or loads what was compiled.
    check(frame.head(200))
    steps = {
        "scikit-learn, 5-fold logistic regression": lambda: cross_validated(texts, labels),
        "`check`, all of it": lambda: check(frame),
        "style test": lambda: style_test(texts, labels),
        "near duplicates": lambda: list(near_duplicates(texts, Limits.near_duplicate)),
        "label errors": lambda: label_errors(texts, labels, lines),
        "lopsided words": lambda: lopsided_words(texts, labels, lines),
    }
    seconds = {}
    for name, run in steps.items():
        start = time.perf_counter()
        run()
        seconds[name] = time.perf_counter() - start
    peer = next(iter(seconds.values()))
    print("| step | seconds | times scikit-learn's |\n|---|---|---|")
    for name, took in seconds.items():
        print(f"| {name} | {took:.1f} | {took / peer:.1f} |")
    mean = frame["text"].str.len().mean()
    print(f"\n{len(frame):,} texts of {mean:.0f} characters; {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
