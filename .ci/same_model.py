"""Fail when two model files answer differently: the committed one, and one trained again."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import outsort
from outsort.model import UNCALIBRATED
from outsort.scoring.kernel import Kernel

#: Another processor may add in another order: the weights are single precision.
TOLERANCE = 1e-3

first, second = map(outsort.load_model, sys.argv[1:3])
if first.about["data"] != second.about["data"] or first.about["settings"] != second.about["settings"]:
    sys.exit("the committed model was trained on other data or with other settings: train it again")
with (Path(__file__).parents[1] / "data" / "tasks.csv").open(encoding="utf-8", newline="") as file:
    texts = [row["text"] for row in csv.DictReader(file)]
# Calibration and threshold come from cross-validation, which takes ten times as long as the model itself.
odds, again = (Kernel(replace(m, calibration=UNCALIBRATED)).answer(texts).log_odds for m in (first, second))
gap = np.abs(np.tanh(odds / 2) - np.tanh(again / 2)).max() / 2
n_flipped = ((odds > 0) != (again > 0)).sum()
print(f"largest difference of a probability {gap:.2g}, {n_flipped} labels differ, over {len(texts):,} texts")
if gap > TOLERANCE or n_flipped:
    sys.exit("the committed model is not what its data make: train it again")
