"""How often a text of two labels is seen to be mixed: real texts joined in pairs.

    python benchmarks/mixed.py FILE --pairs 1000

FILE has columns text and label. Texts of one clause, labelled with labels in scope, are drawn with replacement and
joined by ". " and by a line break: two labels, either first, and twice the same label. Prints, for each: pairs, the
share accepted, the share called mixed, and the share accepted if nothing were mixed.
"""

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd

from outsort import model_file
from outsort.scoring.scorer import Scorer


def joined(texts, labels, n_pairs, rng):
    """Yield kinds of pairs with the texts of each."""
    for separator in (". ", "\n"):
        first, second = rng.integers(0, len(texts), (2, 20 * n_pairs))
        is_same = labels[first] == labels[second]
        for kind, keep in (("two labels", ~is_same), ("one label", is_same & (first != second))):
            places = np.flatnonzero(keep)[:n_pairs]
            pairs = zip(first[places], second[places], strict=True)
            yield f"{kind}, {separator!r}", [f"{texts[i].rstrip('.')}{separator}{texts[j]}" for i, j in pairs]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("-m", "--model")
    parser.add_argument("--pairs", type=int, default=1000)
    given = parser.parse_args()
    model = model_file.load(given.model)
    scorer, blind = Scorer(model), Scorer(replace(model, mixed=1.0))
    rows = pd.read_csv(given.file).query(f"label in {list(model.labels[: model.n_in_scope])}")
    rows = rows[[len(model.read(text).spans) == 1 for text in rows["text"]]]
    kinds = joined(rows["text"].to_list(), rows["label"].to_numpy(), given.pairs, np.random.default_rng(0))
    print(f"{len(rows)} texts; mixed from {model.mixed:.3f}")
    print("| pairs of | pairs | accepted | called mixed | accepted if nothing were mixed |\n|---|---|---|---|---|")
    for kind, texts in kinds:
        found, before = scorer.columns(texts), blind.columns(texts)
        accepted = [np.mean(np.array(columns["decision"].tolist()) == "accept") for columns in (found, before)]
        is_mixed = np.mean(np.array(found["reason"].tolist()) == "mixed")
        print(f"| {kind} | {len(texts)} | {accepted[0]:.3f} | {is_mixed:.3f} | {accepted[1]:.3f} |")


if __name__ == "__main__":
    main()
