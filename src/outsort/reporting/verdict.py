"""The verdict of a report: better than what, good for what, measured on what and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from outsort.metrics import share_interval
from outsort.numeric import LEVEL
from outsort.reporting.captions import among, percent, percents
from outsort.training import folds
from outsort.training.about import Promise, summarize

if TYPE_CHECKING:
    from outsort.metrics import Decisions
    from outsort.reporting.report import Report

#: The rows that a scheme of cross-validation measures.
_KINDS = {folds.STRATIFIED: "rows like the training rows", folds.LINES_OUT: "a service line that no training row had"}


@dataclass(frozen=True)
class Verdict:
    """What a report comes to.

    Attributes:
        lead: the sentence that counts.
        points: what it is based on, by a heading of a few words.
        advice: what to do where there is no evidence; "" where there is some.
    """

    lead: str
    points: dict[str, str] = field(default_factory=dict)
    advice: str = ""


def verdict(report: Report) -> Verdict:
    """Return the verdict of a report. Where the model was trained on the rows, there is nothing else to say."""
    figures = report.figures
    if not figures.is_evidence:
        held_out = " Its held-out figures are in outsort card." if summarize(report.model).scores else ""
        return Verdict(
            "Trained on these rows: no evidence.",
            advice=f"The model was trained on {percent(figures.share_seen, 0)} of these texts: what follows shows what "
            f"it remembers, not how good it is. Evaluate it on rows that it has not seen.{held_out}",
        )
    weak = _weakest(report)
    points = {"How sure": _how_sure(report), "Good for": _good_for(report)}
    points |= {"Weakest at": weak} if weak else {}
    return Verdict(_lead(report), points | {"Measured on": _measured(report)})


def _lead(report: Report) -> str:
    found = report.figures.baselines
    beaten = [f"{one.name} ({percent(one.accuracy)})" for one in found if one.model.interval[0] > 0]
    others = [f"{one.name} ({percent(one.accuracy)})" for one in found if one.model.interval[0] <= 0]
    claims = [f"better than {' and than '.join(beaten)}"] if beaten else []
    claims += [f"not shown to be better than {' or than '.join(others)}"] if others else []
    return f"{percent(report.figures.accuracy)} of the answers are right: {', '.join(claims)}."


def _how_sure(report: Report) -> str:
    figures, answers = report.figures, report.answers
    known = np.isin(answers.labels, answers.names)
    ends = share_interval(answers.weights, answers.labels == answers.predicted, known)
    sentence = f"{percents(ends)} of other rows like these, at {LEVEL:.0%} confidence." if ends else ""
    if figures.in_scope:
        inside = among([label for label in figures.labels if label != answers.out_of_scope])
        right = percent(figures.in_scope.accuracy)
        sentence += f" Of the rows in scope, {right} are right by {inside}, whatever the answer."
    return sentence


def _good_for(report: Report) -> str:
    figures, taken = report.figures, report.figures.decision
    kept, promise = _promise(report)
    if not all(one.model.interval[0] > 0 for one in figures.baselines):
        return f"Nothing yet: answers that need no model may be as good. {promise}"
    if taken.precision is None:
        return f"Suggestions that a person checks. No answer is accepted, all go to review. {promise}"
    use = "Leaving accepted answers unread" if kept else "Suggestions that a person checks"
    return (
        f"{use}. {percent(taken.coverage)} of the rows are accepted, and of these answers {percent(taken.precision)} "
        f"are right ({percents(taken.intervals['precision'])}); the rest goes to review. {promise}"
    )


def _promise(report: Report) -> tuple[bool, str]:
    """Return whether accepted answers can be left unread, and why."""
    if report.axis:
        if np.isnan(report.axis.threshold):
            return (
                False,
                "No sample has certified these categories: they are accepted where the model accepts its label.",
            )
        return True, "The threshold is the one that a labelled sample certified."
    promise = summarize(report.model).decision
    if promise is None:
        return False, "The model was trained without cross-validation, so no precision is promised."
    if not promise.coverage:
        wanted = f"; about {promise.n_more:,} more rows might" if promise.n_more > 0 else ""
        return False, (
            f"No threshold is certified: {promise.n_rows:,} held-out rows could not certify {promise.target:.0%} "
            f"precision{wanted}."
        )
    if report.scheme:
        return True, (
            f"Certified on rows like these: at least {promise.target:.0%} of accepted answers at {promise.level:.0%} "
            "confidence."
        )
    return _kept(promise, report.figures.decision)


def _kept(promise: Promise, taken: Decisions) -> tuple[bool, str]:
    certified = f"Training certified at least {promise.target:.0%}"
    if taken.precision is None:
        return False, f"{certified}, and none is accepted here."
    low, high = taken.intervals["precision"]
    if low >= promise.target:
        return True, f"{certified}: these rows confirm it."
    if high < promise.target:
        return False, f"{certified}: these rows fall short of it."
    return taken.precision >= promise.target, f"{certified}: these rows are too few to confirm or to refute it."


def _weakest(report: Report) -> str:
    """Say which label is found least often; "" if none has rows or all are found."""
    answers = report.answers
    found = {label: of.recall for label, of in report.figures.per_class.items() if of.n}
    label = min(found, key=lambda name: found[name], default="")
    if not label or found[label] == 1:
        return ""
    rows = answers.labels == label
    ends = share_interval(answers.weights, answers.predicted == label, rows)
    if not ends:
        return ""
    return f"Finding {label}: {percent(found[label])} of its rows get that answer ({percents(ends)})."


def _measured(report: Report) -> str:
    figures = report.figures
    rows = f"{figures.n:,} rows of {report.data.source}"
    if not (report.answers.weights == 1).all():
        rows += ", by weight,"
    if report.scheme:
        kind = _KINDS.get(report.scheme, report.scheme)
        how = f"{rows} by cross-validation, each answered by a model that was not trained on it ({kind})"
    elif figures.share_seen:
        how = (
            f"{rows}; the model was trained on {percent(figures.share_seen)} of these texts, which flatters it a little"
        )
    else:
        how = f"{rows} that the model was not trained on"
    return f"{how}; on {report.measured.isoformat()}."
