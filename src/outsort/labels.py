"""The labels: those of the shipped data, and what their names say in any data."""

from collections import Counter
from collections.abc import Iterable, Sequence

#: The labels of the shipped data.
BPO, KPO, NEITHER = LABELS = ("BPO", "KPO", "NEITHER")
#: Not an answer: the text says too little. Such rows teach a model to be unsure, and are wrong wherever it is sure.
UNCLEAR = "UNCLEAR"
#: The usual names, in lower case, of a label for what is out of scope.
OUT_OF_SCOPE = ("neither", "none", "out of scope", "out-of-scope", "out_of_scope", "none of these", "none of the above")


def find_out_of_scope(labels: Iterable[str]) -> str:
    """Return the label for what is out of scope by its usual names; "" if there is none, or more than one.

    >>> find_out_of_scope(["Billing", "Out of scope"])
    'Out of scope'
    """
    found = {label for label in labels if label.lower() in OUT_OF_SCOPE}
    return found.pop() if len(found) == 1 else ""


def in_order(labels: Iterable[str], out_of_scope: str) -> tuple[str, ...]:
    """Return the distinct labels as a model has them: sorted, with the one for what is out of scope last."""
    return tuple(sorted(set(labels), key=lambda label: (label == out_of_scope, label)))


def spellings(labels: Sequence[str], known: Iterable[str] = (*LABELS, UNCLEAR)) -> dict[str, str]:
    """Return the one spelling to use for each label: labels that differ only in case are one.

    Args:
        labels: the labels as written.
        known: spellings that win; otherwise the most frequent wins, and then the first.

    >>> spellings(["Billing", "billing", "Billing", "bpo"])
    {'Billing': 'Billing', 'billing': 'Billing', 'bpo': 'BPO'}
    """
    chosen = {label.casefold(): label for label in known}
    for label, _ in Counter(labels).most_common():
        chosen.setdefault(label.casefold(), label)
    return {label: chosen[label.casefold()] for label in dict.fromkeys(labels)}
