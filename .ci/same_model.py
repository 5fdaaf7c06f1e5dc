"""Fail when two model files answer differently: the committed one, and one trained again."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import outsort
from outsort.model import uncalibrated
from outsort.scoring.kernel import Kernel

#: Largest differences of a probability, of a number of the calibration, and of the threshold. Another
#: processor may add in another order, and the weights are single precision; the threshold is the confidence
#: of one row, which moves by whole steps.
PROBABILITY, CALIBRATION, THRESHOLD = 1e-3, 5e-3, 1e-2

first, second = map(outsort.load_model, sys.argv[1:3])
if (
    first.labels != second.labels
    or first.about["data"] != second.about["data"]
    or first.about["settings"] != second.about["settings"]
):
    sys.exit("the committed model was trained on other data or with other settings: train it again")
with (Path(__file__).parents[1] / "data" / "tasks.csv").open(encoding="utf-8", newline="") as file:
    texts = [row["text"] for row in csv.DictReader(file)]
# Without the calibration, which would hide differences between weights where it makes answers less sure.
plain = {"calibration": uncalibrated(len(first.labels))}
proba, again = (Kernel(replace(m, **plain)).answer(texts).proba for m in (first, second))
gap = np.abs(proba - again).max()
n_flipped = (proba.argmax(axis=1) != again.argmax(axis=1)).sum()
print(f"largest difference of a probability {gap:.2g}, {n_flipped} labels differ, over {len(texts):,} texts")
calibration_gap = max(
    np.abs(getattr(first, name) - getattr(second, name)).max()
    for name in ("calibration", "later", "position", "prior", "mixed")
)
print(f"largest difference of a number of the calibration {calibration_gap:.2g}")
print(f"threshold {first.threshold:.6f}, trained again {second.threshold:.6f}")
is_same = {
    "weights": gap <= PROBABILITY and not n_flipped,
    "calibration": calibration_gap <= CALIBRATION,
    # No threshold is a NaN, which only another NaN is like.
    "threshold": np.isclose(first.threshold, second.threshold, rtol=0, atol=THRESHOLD, equal_nan=True),
}
others = [what for what, same in is_same.items() if not same]
if others:
    sys.exit(f"the committed model is not what its data make ({', '.join(others)}): train it again")
