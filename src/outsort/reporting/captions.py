"""The captions of the scores, for tables, the report and the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outsort.metrics import Counts


#: The headline scores and their captions.
SCORES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "ECE",
    "neither_auc": "NEITHER AUC",
}
#: What they mean.
LEGEND = (
    "AUC: the probability that a KPO row ranks above a BPO row. Log loss is in nats. ECE: expected "
    "calibration error. NEITHER AUC: the probability that a NEITHER row ranks above another row."
)


def headline(counts: Counts) -> dict[str, float | None]:
    """Return the headline scores; None where the rows do not define one."""
    return {name: getattr(counts, name, None) for name in SCORES}


def figure(value: float | None) -> str:
    """Return a score to three digits, "" for None."""
    return "" if value is None else f"{value:.3f}"
