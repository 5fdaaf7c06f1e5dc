"""The quality of a model as one self-contained HTML file, for screens of any width and for print.

A `Report` is made of a training or an evaluation, and rendered or written. The headline figures come from `evaluation`.
Counted here, from the same answers, are the tables that only this page shows: the matrix, the thresholds, the scores by
service line, and the probable label errors. `plots` draws, and `verdict` words what comes first.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outsort import decision
from outsort.data import values
from outsort.errors import DataError
from outsort.evaluation.evaluate import Answers, Evaluation, measure
from outsort.explanation import top_terms
from outsort.improving.check import probably_wrong
from outsort.labels import UNCLEAR
from outsort.metrics import share_interval, weighted_share
from outsort.model import Model
from outsort.reporting import page, plots
from outsort.reporting.captions import SCORES, among, captions, headline, legend, of_unclear, percents
from outsort.reporting.plots import Plot
from outsort.reporting.verdict import is_evidence, verdict
from outsort.results import plain
from outsort.taxonomy import Axis
from outsort.training import folds
from outsort.training.about import DataIdentity, identify, summarize

if TYPE_CHECKING:
    from outsort.data.dataset import Dataset
    from outsort.training.validation import Validation

#: Service lines shown before the rest is collapsed.
N_WORST = 20
#: Characters shown of a mistaken text.
MAX_SHOWN = 300
#: Labels up to which the matrix and the table of labels stand side by side.
N_LARGE = 4
#: Probable label errors that are listed, and rows of a label from which its errors are looked for.
N_ERRORS, FEWEST = 10, 5


@dataclass(frozen=True)
class LabelError:
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


@dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        model: the model.
        answers: the rows and their answers.
        figures: their evaluation.
        data: the data of the rows.
        measured: the day of the measurement.
        scheme: the scheme of cross-validation that the answers come from; None for the model's own answers.
        axis: the axis of a taxonomy whose categories were answered; None for labels.
        label_errors: labels that are probably wrong, most likely first; None where that was not looked for.
    """

    model: Model
    answers: Answers
    figures: Evaluation
    data: DataIdentity
    measured: datetime.date
    scheme: str | None = None
    axis: Axis | None = None
    label_errors: Sequence[LabelError] | None = None

    @property
    def name(self) -> str:
        """The name of the axis in `--json`; "" for labels."""
        return self.axis.label_column if self.axis else ""


def of_training(
    model: Model, dataset: Dataset, validation: Validation, weight_column: str | None = None, by: Sequence[str] = ()
) -> Report:
    """Report on the held-out answers of the scheme that calibration and threshold were fitted on.

    Args:
        model: the model.
        dataset: what it was trained on.
        validation: its cross-validation.
        weight_column: the column of weights, if there is one.
        by: columns whose values are scored separately, as by `evaluate`.
    """
    held_out = validation.held_out[validation.scheme]
    rows, proba = held_out.rows, held_out.proba
    answers = Answers(
        numbers=[plain(number) for number in dataset.frame.index[rows]],
        texts=[dataset.texts[i] for i in rows],
        labels=np.array(dataset.labels)[rows],
        lines=None if dataset.lines is None else np.array(dataset.lines)[rows],
        proba=proba,
        names=model.labels,
        out_of_scope=model.out_of_scope,
        # The words that a fold's model knew are gone: only the threshold decides.
        accepted=proba.max(axis=1) >= decision.threshold_of(model),
        weights=values.weights_of(dataset, weight_column)[rows],
        source=dataset.source,
        groups={name: values.groups_of(dataset, name)[rows] for name in by},
    )
    # Rows of known service lines say most about a label; rows of unseen ones may differ for good reason.
    surest = validation.held_out.get(folds.STRATIFIED, held_out)
    return Report(
        model,
        answers,
        measure(model, answers),
        identify(dataset),
        _today(),
        validation.scheme,
        label_errors=_label_errors(
            [plain(number) for number in dataset.frame.index[surest.rows]],
            [dataset.texts[i] for i in surest.rows],
            np.array(dataset.labels)[surest.rows],
            surest.proba,
            model.labels,
        ),
    )


def of_evaluation(
    model: Model, dataset: Dataset, answers: Answers, figures: Evaluation, axis: Axis | None = None
) -> Report:
    """Report on a model's own answers to a dataset, and their evaluation.

    Args:
        model: the model.
        dataset: the labelled rows.
        answers: its answers.
        figures: their evaluation.
        axis: the axis of a taxonomy, if the answers are its categories.
    """
    report = Report(model, answers, figures, identify(dataset), _today(), axis=axis)
    if not is_evidence(report):
        return report
    a = answers
    return replace(report, label_errors=_label_errors(a.numbers, a.texts, a.labels, a.proba, a.names))


def _today() -> datetime.date:
    return datetime.datetime.now().astimezone().date()


def _label_errors(
    numbers: Sequence[object],
    texts: Sequence[str],
    labels: NDArray[np.str_],
    proba: NDArray[np.float64],
    names: Sequence[str],
) -> list[LabelError] | None:
    frequent = [name for name in names if (labels == name).sum() >= FEWEST]
    known = np.flatnonzero(np.isin(labels, frequent))
    codes = np.array([list(names).index(label) for label in labels[known]], dtype=np.int64)
    try:
        found = known[probably_wrong(codes, proba[known])].tolist()
    except DataError:
        # Without the library that finds them, the report goes without.
        return None
    likelier = np.array(names)[proba.argmax(axis=1)]
    return [LabelError(numbers[i], texts[i], str(labels[i]), str(likelier[i])) for i in found]


def render(reports: Report | Sequence[Report]) -> str:
    """Return reports on one model and one table, one for each axis of a taxonomy, as HTML; call `page.check` first.

    The same reports give the same bytes with the same versions of Matplotlib and Jinja.
    """
    parts = [reports] if isinstance(reports, Report) else list(reports)
    first = parts[0]
    return page.render(
        "report.html",
        {"headline": headline, "signed": "{:+.2f}".format, "percents": percents, "of_unclear": of_unclear},
        parts=[_content(part, place) for place, part in enumerate(parts)],
        report=first,
        summary=summarize(first.model),
        captions=captions,
        n_large=N_LARGE,
        n_worst=N_WORST,
        n_errors=N_ERRORS,
        n_groups=plots.N_GROUPS,
        max_shown=MAX_SHOWN,
        terms=top_terms(first.model),
    )


def _content(report: Report, place: int) -> dict[str, object]:
    """Return what a section shows of a report; `place` makes its anchors unique."""
    answers, figures = report.answers, report.figures
    summary = summarize(report.model)
    scores = summary.scores if report.scheme else {}
    target = summary.decision.target if summary.decision and not report.axis else None
    # Categories without a threshold of their own are accepted with the model's label.
    threshold = figures.decision.threshold if not report.axis or np.isfinite(report.axis.threshold) else None
    lines = [] if answers.lines is None else by_line(answers, answers.lines)
    plotted = plots.hardest(figures)
    svg = partial(Plot.svg, prefix=f"p{place}-" if place else "")
    return {
        "report": report,
        "figures": figures,
        "at": f"{report.name}/" if report.name else "",
        "id": f"-{place}" if place else "",
        "verdict": verdict(report),
        "scores": scores,
        "names": captions([figures, *scores.values()]),
        "in_scope": {name: caption for name, caption in SCORES.items() if "scope" not in name},
        "among": among([label for label in figures.labels if label != answers.out_of_scope]),
        "legend": legend(figures.labels, answers.out_of_scope),
        "matrix": matrix(answers),
        "reliability": svg(plots.reliability(answers)),
        "curve": svg(plots.precision(answers, threshold, target)),
        "target": target,
        "roc": svg(plots.roc(answers, plotted)) if plotted else None,
        "histograms": [svg(plots.scores(answers, label, threshold)) for label in plotted],
        "thresholds": thresholds(answers, figures, threshold),
        "has_threshold": threshold is not None,
        "groups": {
            column: svg(drawn) if (drawn := plots.groups(answers, column, i)) else None
            for i, column in enumerate(figures.by)
        },
        "months": {column: plots.is_by_month(answers.groups[column]) for column in figures.by},
        "lines": [line for line in lines if line.accuracy is not None],
        "other_lines": [line for line in lines if line.reviewed is not None],
        "weighted": bool((answers.weights != 1).any()),
    }


def write(reports: Report | Sequence[Report], path: Path, *, force: bool) -> None:
    """Write what `render` returns to `path` atomically.

    Raises:
        OutputError: `path` exists (and not `force`) or cannot be written.
    """
    page.write(render(reports), path, force=force)


@dataclass(frozen=True)
class Cell:
    """Rows of one label with one answer.

    Attributes:
        weight: their weight.
        reviewed: the weight of those that go to review.
        share: their share of the rows of the label.
        is_right: whether the answer is the label.
    """

    weight: float
    reviewed: float
    share: float
    is_right: bool


@dataclass(frozen=True)
class MatrixRow:
    """A row of the matrix of labels and answers.

    Attributes:
        label: the actual label: those that the model knows, then UNCLEAR, if there are such rows.
        n: its rows.
        cells: one for each label that the model knows.
        reviewed: the weight of its rows that go to review.
        precision: the interval of the precision of the label; None if it is never the answer.
        recall: that of its recall; None without rows.
    """

    label: str
    n: int
    cells: list[Cell]
    reviewed: float
    precision: tuple[float, float] | None
    recall: tuple[float, float] | None


def matrix(answers: Answers) -> list[MatrixRow]:
    """Return the matrix of actual labels and answers, with what goes to review."""
    weights, predicted = answers.weights, answers.predicted
    known = np.isin(answers.labels, answers.names)

    def cell(rows: NDArray[np.bool_], label: str, name: str) -> Cell:
        here = rows & (predicted == name)
        return Cell(
            weight=float(weights[here].sum()),
            reviewed=float(weights[here & ~answers.accepted].sum()),
            share=weighted_share(weights, here, rows) or 0.0,
            is_right=name == label,
        )

    def row(label: str) -> MatrixRow:
        rows = answers.labels == label
        return MatrixRow(
            label=label,
            n=int(rows.sum()),
            cells=[cell(rows, label, name) for name in answers.names],
            reviewed=float(weights[rows & ~answers.accepted].sum()),
            precision=share_interval(weights, rows, known & (predicted == label)),
            recall=share_interval(weights, predicted == label, rows),
        )

    return [row(label) for label in (*answers.names, *([UNCLEAR] if not known.all() else []))]


@dataclass(frozen=True)
class Threshold:
    """What a threshold would accept.

    Attributes:
        at: the place of the point in `Evaluation.curve`; None for the threshold of the model.
        threshold: the threshold.
        coverage: the share of all rows, by weight, that it accepts.
        precision: the share of these that are right.
        interval: that of the precision.
    """

    at: int | None
    threshold: float
    coverage: float
    precision: float
    interval: tuple[float, float]


def thresholds(answers: Answers, figures: Evaluation, own: float | None) -> list[Threshold]:
    """Return the points of the curve and the model's own threshold, highest first; a mistake is any wrong answer."""
    correct, confidence, weights = answers.labels == answers.predicted, answers.probability, answers.weights
    found = [
        Threshold(i, point.threshold, point.coverage, point.precision, ends)
        for i, point in enumerate(figures.curve)
        if (ends := share_interval(weights, correct, confidence >= point.threshold))
    ]
    if own is not None:
        taken = confidence >= own
        precision, ends = weighted_share(weights, correct, taken), share_interval(weights, correct, taken)
        if precision is not None and ends:
            found.append(Threshold(None, own, float(weights[taken].sum() / weights.sum()), precision, ends))
    return sorted(found, key=lambda one: -one.threshold)


@dataclass(frozen=True)
class LineScore:
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


def by_line(answers: Answers, lines: NDArray[np.str_]) -> list[LineScore]:
    """Score each service line, worst first, and the larger first of equals.

    Args:
        answers: the n_rows rows and answers.
        lines: str (n_rows,), the service line of each.
    """
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
