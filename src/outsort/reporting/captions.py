"""The captions of the scores and the notes on a summary, for tables, pages and the card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from outsort.decision import UNCERTIFIED
from outsort.labels import UNCLEAR

if TYPE_CHECKING:
    from outsort.data.weighing import Weights
    from outsort.evaluation.evaluate import Evaluation, Ruled
    from outsort.metrics import Counts
    from outsort.scoring.summary import Summary


#: The headline scores and their captions.
SCORES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "ECE",
    "in_scope.accuracy": "in scope",
    "in_scope.auc": "in-scope AUC",
    "out_of_scope_auc": "out-of-scope AUC",
}


def legend(labels: Sequence[str], out_of_scope: str) -> str:
    """Return what the captions mean for these labels, in sentences."""
    sentences = ["Log loss is in nats. ECE: expected calibration error."]
    inside = [label for label in labels if label != out_of_scope]
    first, last = inside[0], inside[-1]
    if out_of_scope and len(inside) > 1:
        sentences.append(f"In scope: {among(inside)}, on their rows, whatever the answer.")
    if len(inside) == 2:
        sentences.append(f"AUC: the probability that a row of {last} ranks above one of {first}.")
    if out_of_scope:
        sentences.append(
            f"Out-of-scope AUC: the probability that a row of {out_of_scope} or unclear ranks above one in scope."
        )
    return " ".join(sentences)


def of_unclear(n: int, out_of_scope_auc: float | None) -> str:
    """Return where rows labelled UNCLEAR count, in a sentence without its full stop.

    >>> of_unclear(1, 0.9)
    '1 row labelled UNCLEAR counts in the out-of-scope AUC, and as a mistake if it is accepted; in no other score'
    >>> of_unclear(2, None)
    '2 rows labelled UNCLEAR count as mistakes if they are accepted; in no other score'
    """
    rows, as_mistakes = "row", "as a mistake if it is accepted"
    if n != 1:
        rows, as_mistakes = "rows", "as mistakes if they are accepted"
    in_auc = "" if out_of_scope_auc is None else "in the out-of-scope AUC, and "
    return f"{n:,} {rows} labelled {UNCLEAR} {'counts' if n == 1 else 'count'} {in_auc}{as_mistakes}; in no other score"


def of_ruled(result: Evaluation, ruled: Ruled) -> str:
    """Return what rules decided and what the model alone would have got, in a sentence or two."""
    decided = f"Rules decided {ruled.rows:,} of {result.n + result.n_left_out:,} rows"
    if not ruled.labelled:
        return f"{decided}{', none of them with a label' if ruled.rows else ''}."
    return (
        f"{decided}. Of the {ruled.labelled:,} with a label they have {ruled.right:,} right, the model alone "
        f"{ruled.model_right:,}; accuracy on all rows is {figure(result.accuracy)}, of the model alone "
        f"{figure(ruled.model_accuracy)}."
    )


def among(inside: Sequence[str]) -> str:
    """Return what the labels in scope are told from.

    >>> among(["BPO", "KPO"]), among(["Access", "Billing", "Network"])
    ('BPO against KPO', 'the labels in scope alone')
    """
    return " against ".join(inside) if len(inside) == 2 else "the labels in scope alone"


def headline(counts: Counts) -> dict[str, float | None]:
    """Return the headline scores; None where the rows do not define one."""
    return {name: _of(counts, name) for name in SCORES}


def captions(of: Iterable[Counts]) -> dict[str, str]:
    """Return the captions of the headline scores that any of these define."""
    found = [headline(counts) for counts in of]
    return {name: caption for name, caption in SCORES.items() if any(scores[name] is not None for scores in found)}


def _of(scores: object, name: str) -> float | None:
    for part in name.split("."):
        scores = getattr(scores, part, None)
    return scores  # type: ignore[return-value]


def figure(value: float | None) -> str:
    """Return a score to three digits, "" for None."""
    return "" if value is None else f"{value:.3f}"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as per cent, never rounded to none or all; a dash for None.

    >>> [percent(share) for share in (0.7749, 0.9975, 0.99962, 1.0, 0.0001)]
    ['77.5%', '99.8%', 'over 99.9%', '100%', 'under 0.1%']
    >>> percent(0.996, 0)
    'over 99%'
    """
    if share is None:
        return "–"
    if share in (0, 1):
        return f"{share:.0%}"
    least = 10.0 ** -(digits + 2)
    if share < least / 2:
        return f"under {least:.{digits}%}"
    if share > 1 - least / 2:
        return f"over {1 - least:.{digits}%}"
    return f"{share:.{digits}%}"


def percents(ends: tuple[float, float]) -> str:
    """Return the ends of the interval of a share.

    >>> percents((0.7566, 0.7919)), percents((0.7219, 1.0))
    ('75.7–79.2%', '72.2–100%')
    """
    low, high = map(percent, ends)
    return f"{low.removesuffix('%')}–{high}"


def notes(summary: Summary) -> list[str]:
    """Return what is to be known about a summary beside its tables, in sentences: promises, rules, odd weights."""
    result = [] if summary.is_certified else [f"The model's threshold is not certified: {UNCERTIFIED}."]
    ruled, weights = summary.ruled, summary.weights
    if ruled:
        share = percent(ruled.weight / summary.weight) if summary.weight else "none"
        of = f"{share} of {weights.column}" if weights else share
        result.append(f"Rules decided {ruled.rows:,} of {summary.rows:,} rows ({of}).")
    result += notes_on_weights(weights) if weights else []
    by = summary.by
    if weights and by and by.missed:
        result.append(
            f"There are too many values in {by.column!r} to keep them all: one that is listed may lack up to "
            f"{by.missed:,.0f}, which is in the others."
        )
    return result


def notes_on_weights(weights: Weights) -> list[str]:
    """Return what is to be known about how a column of weights was read, in sentences."""
    result = []
    odd = {
        "no value": weights.blank,
        f"something that is not a number, such as {weights.example!r}": weights.not_numbers,
        f"a value below 0 ({weights.negative_sum:,.2f} in all)": weights.negative,
    }
    for what, n in odd.items():
        if n:
            rows = "1 row has" if n == 1 else f"{n:,} rows have"
            result.append(f"In {weights.column!r} {rows} {what}: counted as 0.")
    if weights.decimal_mark == ",":
        result.append(f"In {weights.column!r} a comma stands before the decimals: 1.234,50.")
    if weights.ambiguous:
        result.append(
            f"In {weights.column!r} {weights.ambiguous:,} values such as 1.234 are read with decimals, because no "
            "other value tells what the point is."
        )
    return result
