"""The labels."""

from __future__ import annotations

#: The label that only measuring knows: a text that says too little.
UNCLEAR = "UNCLEAR"
#: The two answers, in the order of every probability array, and the label of all other work.
ANSWERS = ("BPO", "KPO")
NEITHER = "NEITHER"
LABELS = (*ANSWERS, NEITHER)
