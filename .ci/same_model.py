"""Fail when two model files answer differently: the committed one, and one trained again."""

import csv
import sys
from pathlib import Path

import numpy as np

import outsort

#: Another processor may add in another order: the weights are single precision.
TOLERANCE = 1e-3

first, second = map(outsort.load_model, sys.argv[1:3])
if first.about["data"] != second.about["data"] or first.about["settings"] != second.about["settings"]:
    sys.exit("the committed model was trained on other data or with other settings: train it again")
with (Path(__file__).parents[1] / "data" / "tasks.csv").open(encoding="utf-8", newline="") as file:
    texts = [row["text"] for row in csv.DictReader(file)]
gap = np.abs(first.predict_proba(texts) - second.predict_proba(texts)).max()
n_flipped = (first.predict(texts) != second.predict(texts)).sum()
print(f"largest difference of a probability {gap:.2g}, {n_flipped} labels differ, over {len(texts):,} texts")
if gap > TOLERANCE or n_flipped:
    sys.exit("the committed model is not what its data make: train it again")
