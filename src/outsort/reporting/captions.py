"""The captions of the scores, for tables, the report and the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outsort.metrics import Counts


#: The headline scores and their captions.
SCORES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "ECE",
    "in_scope.accuracy": "in scope",
    "in_scope.auc": "in-scope AUC",
    "out_of_scope_auc": "out-of-scope AUC",
}
#: What they mean.
LEGEND = (
    "Log loss is in nats. ECE: expected calibration error. In scope: the same answers among the labels in scope "
    "alone, such as BPO against KPO. AUC: the probability that a row of the second label ranks above one of the "
    "first, or a row out of scope above one in scope."
)


def headline(counts: Counts) -> dict[str, float | None]:
    """Return the headline scores; None where the rows do not define one."""
    return {name: _of(counts, name) for name in SCORES}


def _of(scores: object, name: str) -> float | None:
    for part in name.split("."):
        scores = getattr(scores, part, None)
    return scores  # type: ignore[return-value]


def figure(value: float | None) -> str:
    """Return a score to three digits, "" for None."""
    return "" if value is None else f"{value:.3f}"
