"""The labels."""

from typing import Literal, get_args

#: The labels that a text is classified as.
Label = Literal["BPO", "KPO"]
#: The same, in the column order of every probability array.
ANSWERS: tuple[str, str] = get_args(Label)
BPO, KPO = ANSWERS
#: The label of all other work.
NEITHER = "NEITHER"
LABELS = (*ANSWERS, NEITHER)
#: A label for evaluation only: the text says too little.
UNCLEAR = "UNCLEAR"
