"""What is behind the scores of answers: labels against answers, thresholds, service lines, labels that may be wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outsort.errors import DataError
from outsort.labels import UNCLEAR
from outsort.metrics import share_interval, weighted_share
from outsort.numeric import Floats
from outsort.results import Result

if TYPE_CHECKING:
    from outsort.evaluation.evaluate import Answers

#: Rows of a label from which its errors are looked for.
FEWEST = 5


@dataclass(frozen=True)
class Cell(Result):
    """Rows of one label with one answer.

    Attributes:
        answer: the answer.
        weight: their weight.
        reviewed: the weight of those that go to review.
        share: their share of the rows of the label.
    """

    answer: str
    weight: float
    reviewed: float
    share: float


@dataclass(frozen=True)
class MatrixRow(Result):
    """A row of the matrix of labels and answers.

    Attributes:
        label: the actual label: those that the model knows, then UNCLEAR, if there are such rows.
        n: its rows.
        cells: one for each label that the model knows.
        reviewed: the weight of its rows that go to review.
        intervals: the low and high ends of its `precision`, if it is ever the answer, and of its `recall`, if it has
            rows: see `share_interval`. None of UNCLEAR, which is no answer.
    """

    label: str
    n: int
    cells: list[Cell]
    reviewed: float
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


def matrix(answers: Answers) -> list[MatrixRow]:
    """Return the matrix of actual labels and answers, with what goes to review."""
    weights, predicted = answers.weights, answers.predicted
    known = np.isin(answers.labels, answers.names)

    def cell(rows: NDArray[np.bool_], name: str) -> Cell:
        here = rows & (predicted == name)
        return Cell(
            answer=name,
            weight=float(weights[here].sum()),
            reviewed=float(weights[here & ~answers.accepted].sum()),
            share=weighted_share(weights, here, rows) or 0.0,
        )

    def row(label: str) -> MatrixRow:
        rows, answered = answers.labels == label, predicted == label
        ends = {
            "precision": share_interval(weights, rows, known & answered),
            "recall": share_interval(weights, answered, rows) if label in answers.names else None,
        }
        return MatrixRow(
            label=label,
            n=int(rows.sum()),
            cells=[cell(rows, name) for name in answers.names],
            reviewed=float(weights[rows & ~answers.accepted].sum()),
            intervals={name: found for name, found in ends.items() if found},
        )

    return [row(label) for label in (*answers.names, *([UNCLEAR] if not known.all() else []))]


@dataclass(frozen=True)
class Threshold(Result):
    """What a threshold would accept; a mistake is any wrong answer.

    Attributes:
        threshold: the threshold.
        is_own: whether it is the model's, not a point of `Evaluation.curve`.
        coverage: the share of all rows, by weight, that it accepts.
        precision: the share of these that are right.
        interval: that of the precision.
    """

    threshold: float
    is_own: bool
    coverage: float
    precision: float
    interval: tuple[float, float]


def thresholds(answers: Answers, points: Iterable[float], own: float | None) -> list[Threshold]:
    """Return what some thresholds and the model's own, if it has one, would accept, highest first.

    One that accepts nothing is left out.
    """
    correct, confidence, weights = answers.labels == answers.predicted, answers.probability, answers.weights
    found = []
    for threshold, is_own in [*((point, False) for point in points), *([(own, True)] if own is not None else [])]:
        taken = confidence >= threshold
        precision, ends = weighted_share(weights, correct, taken), share_interval(weights, correct, taken)
        if precision is not None and ends:
            coverage = float(weights[taken].sum() / weights.sum())
            found.append(Threshold(float(threshold), is_own, coverage, precision, ends))
    return sorted(found, key=lambda one: -one.threshold)


@dataclass(frozen=True)
class LineScore(Result):
    """The scores of a service line, by weight; None if it has no such rows.

    Attributes:
        line: its name.
        n: its rows.
        label: the labels of its rows.
        accuracy: share of its rows with the right label.
        reviewed: share of its other rows that go to review.
    """

    line: str
    n: int
    label: str
    accuracy: float | None
    reviewed: float | None


def by_line(answers: Answers) -> list[LineScore]:
    """Score each service line, worst first, and the larger first of equals; [] of data without lines."""
    lines = answers.lines
    if lines is None:
        return []
    decided = np.isin(answers.labels, answers.names)
    correct = answers.labels == answers.predicted

    def scored(line: str) -> LineScore:
        here = lines == line
        return LineScore(
            line=line,
            n=int(here.sum()),
            label=", ".join(sorted(set(answers.labels[here].tolist()))),
            accuracy=weighted_share(answers.weights, correct, here & decided),
            reviewed=weighted_share(answers.weights, ~answers.accepted, here & ~decided),
        )

    def worst_first(line: LineScore) -> tuple[float, int]:
        return (line.reviewed if line.accuracy is None else line.accuracy) or 0.0, -line.n

    return sorted(map(scored, np.unique(lines).tolist()), key=worst_first)


@dataclass(frozen=True)
class LabelError(Result):
    """A row whose label is probably wrong.

    Attributes:
        row: its number in the file.
        text: the text.
        label: the label.
        probably: the likelier label.
    """

    row: object
    text: str
    label: str
    probably: str


def label_errors(answers: Answers) -> list[LabelError] | None:
    """Return the labels that are probably wrong, most likely first; None without the library that finds them.

    Args:
        answers: those of models that were not trained on the rows.
    """
    a = answers
    frequent = [name for name in a.names if (a.labels == name).sum() >= FEWEST]
    known = np.flatnonzero(np.isin(a.labels, frequent))
    codes = np.array([list(a.names).index(label) for label in a.labels[known]], dtype=np.int64)
    try:
        found = known[probably_wrong(codes, a.proba[known])].tolist()
    except DataError:
        return None
    return [LabelError(a.numbers[i], a.texts[i], str(a.labels[i]), str(a.predicted[i])) for i in found]


def probably_wrong(codes: NDArray[np.int64], probabilities: Floats) -> list[int]:
    """Return the positions of labels that are probably wrong, most likely first (confident learning, Northcutt 2021).

    Args:
        codes: int64 (n_rows,), the column of the label of each row.
        probabilities: float64 (n_rows, n_labels), by models that were not trained on the row.

    Raises:
        DataError: cleanlab is not installed.
    """
    find = label_issues()
    there, codes = np.unique(codes, return_inverse=True)
    if len(there) < 2:
        return []
    of_these = probabilities[:, there]
    proba = of_these / of_these.sum(axis=1, keepdims=True)
    return [int(i) for i in find(codes, proba, return_indices_ranked_by="self_confidence", n_jobs=1)]


def label_issues() -> Callable[..., Iterable[int]]:
    """Return what finds the rows whose labels are probably wrong; raise DataError without cleanlab, which has it."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        raise DataError("needs cleanlab; install it with pip install 'outsort[check]'") from None
    return find_label_issues  # type: ignore[no-any-return]
