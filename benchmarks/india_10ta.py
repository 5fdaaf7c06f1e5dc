"""What the shipped rules india-10ta make of paraphrases and near misses that were written without sight of them.

`india_10ta_paraphrases.csv` has other words for the entries of the statute, with the entry and its label;
`india_10ta_near_misses.csv` has texts that are near an entry and none, on which no rule should fire. The rules are not
tuned on either. Written as Markdown.

    python benchmarks/india_10ta.py
"""

from __future__ import annotations

import argparse
import csv
import re
from collections import Counter
from pathlib import Path

from outsort.prediction import predict
from outsort.rules.reading import load

HERE = Path(__file__).parent


def read(name: str) -> list[dict[str, str]]:
    with (HERE / f"india_10ta_{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", action="store_true", help="list what was answered otherwise")
    options = parser.parse_args()
    rules = load("india-10ta")
    rows, near = read("paraphrases"), read("near_misses")
    answers = predict([row["text"] for row in rows], rules=rules)
    # Rules for other words of an entry have a number behind its name.
    entries = [re.sub(r" \(\d\)$", "", answer.ruling.rule or "") for answer in answers]
    right = [entry == row["entry"] for entry, row in zip(entries, rows, strict=True)]
    label = sum(answer.label == row["label"] for answer, row in zip(answers, rows, strict=True))
    by_model = sum(
        (answer.ruling.model_label or answer.label) == row["label"] for answer, row in zip(answers, rows, strict=True)
    )
    fired = [answer.ruling.rule for answer in predict([row["text"] for row in near], rules=rules)]
    print("| | of | count |\n|---|---|---|")
    print(f"| paraphrases decided by the rule of their entry | {len(rows)} | {sum(right)} |")
    others = Counter("another rule" if entry else "no rule" for entry, ok in zip(entries, right, strict=True) if not ok)
    for what in ("another rule", "no rule"):
        print(f"| decided by {what} | {len(rows)} | {others[what]} |")
    print(f"| with the label of the statute, by rule or model | {len(rows)} | {label} |")
    print(f"| with that label by the model alone | {len(rows)} | {by_model} |")
    print(f"| near misses on which a rule fires | {len(near)} | {sum(map(bool, fired))} |")
    if options.show:
        print()
        for row, entry, ok in zip(rows, entries, right, strict=True):
            if not ok:
                print(f"- {row['text']}: {entry or 'no rule'}, not {row['entry']}")
        for row, rule in zip(near, fired, strict=True):
            if rule:
                print(f"- {row['text']}: {rule}")


if __name__ == "__main__":
    main()
