"""The quality of a model as one self-contained HTML file, for screens of any width and for print.

The figures come from `evaluation`; this module only words, plots and tabulates them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from outsort import decision
from outsort.data import values
from outsort.evaluation.evaluate import Answers, Evaluation, measure
from outsort.explanation import top_terms
from outsort.metrics import curve, weighted_share
from outsort.model import Model
from outsort.numeric import LEVEL
from outsort.reporting import page
from outsort.reporting.captions import SCORES, among, captions, headline, legend
from outsort.results import plain
from outsort.training import folds
from outsort.training.about import DataIdentity, identify, summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from outsort.data.dataset import Dataset
    from outsort.training.validation import Validation

#: Service lines shown before the rest is collapsed.
N_WORST = 20
#: Characters shown of a mistaken text.
MAX_SHOWN = 300
#: Bins of the reliability curve, each with the same number of rows.
N_BINS = 10
#: Points of the plotted curve of precision against coverage.
N_DRAWN = 200
#: Accepted answers from which the curve is plotted: precision of fewer is noise.
MIN_DRAWN = 20
#: Labels up to which the confusion matrix has large cells and stands beside the table; characters of a label in it.
N_LARGE, MAX_TICK = 6, 24
#: Width of a plot in inches, and the characters that fit along it.
SIZE, N_LINE = 4.0, 36
#: The rows that a scheme of cross-validation measures.
_KINDS = {folds.STRATIFIED: "rows like the training rows", folds.LINES_OUT: "rows of unseen service lines"}


@dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        model: the model.
        answers: the rows and their answers.
        figures: their evaluation.
        data: the data of the rows.
        scheme: the scheme of cross-validation that the answers come from; None for the model's own answers.
    """

    model: Model
    answers: Answers
    figures: Evaluation
    data: DataIdentity
    scheme: str | None = None


def of_training(model: Model, dataset: Dataset, validation: Validation, weight_column: str | None = None) -> Report:
    """Report on the held-out answers of the scheme that calibration and threshold were fitted on."""
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
    )
    return Report(model, answers, measure(model, answers), identify(dataset), validation.scheme)


def of_evaluation(model: Model, dataset: Dataset, answers: Answers, figures: Evaluation) -> Report:
    """Report on a model's own answers to a dataset, and their evaluation."""
    return Report(model, answers, figures, identify(dataset))


def render(report: Report) -> str:
    """Return the report as HTML; call `check` first.

    The same report gives the same bytes with the same versions of Matplotlib and Jinja.
    """
    summary = summarize(report.model)
    of_row = report.answers.lines
    lines = [] if of_row is None else by_line(report.answers, of_row)
    scores = summary.scores if report.scheme else {}
    return page.render(
        "report.html",
        {"headline": headline, "signed": "{:+.2f}".format},
        report=report,
        figures=report.figures,
        summary=summary,
        scores=scores,
        captions=captions,
        names=captions([report.figures, *scores.values()]),
        in_scope={name: caption for name, caption in SCORES.items() if "scope" not in name},
        among=among([label for label in report.model.labels if label != report.model.out_of_scope]),
        legend=legend(report.model.labels, report.model.out_of_scope),
        n_large=N_LARGE,
        verdict=verdict(report),
        plots=_plots(report),
        lines=[line for line in lines if line.accuracy is not None],
        other_lines=[line for line in lines if line.reviewed is not None],
        n_worst=N_WORST,
        max_shown=MAX_SHOWN,
        terms=top_terms(report.model),
        weighted=bool((report.answers.weights != 1).any()),
    )


def write(report: Report, path: Path, *, force: bool) -> None:
    """Write the report to `path` atomically.

    Raises:
        OutputError: `path` exists (and not `force`) or cannot be written.
    """
    page.write(render(report), path, force=force)


def verdict(report: Report) -> list[str]:
    """Return a few sentences that sum up the figures."""
    figures, decision = report.figures, report.figures.decision
    by_weight = "" if (report.answers.weights == 1).all() else "by weight, "
    kind = _kind(report.scheme) if report.scheme else f"rows in {report.data.source}"
    first = f"{by_weight}of 100 {kind}, {_of_100(figures.accuracy)} are classified correctly"
    if "accuracy" in figures.intervals:
        low, high = figures.intervals["accuracy"]
        first += f" (between {low:.0%} and {high:.0%}, with {LEVEL:.0%} confidence)"
    sentences = [first[0].upper() + first[1:] + "."]
    if figures.in_scope:
        inside = [label for label in figures.labels if label != report.model.out_of_scope]
        right = _of_100(figures.in_scope.accuracy)
        sentences.append(f"Of 100 rows in scope, {right} are right by {among(inside)}, whatever the answer.")
    if decision.precision is None:
        sentences.append("No answer is accepted: all go to review.")
    else:
        sentences.append(
            f"{page.share(decision.coverage, 0)} of the rows are accepted without review, and of 100 "
            f"accepted answers {_of_100(decision.precision)} are right. The rest goes to review."
        )
    sentences.append(_promise(report))
    if figures.share_seen:
        sentences.append(
            f"The model was trained on about {figures.share_seen:.0%} of these texts, so these figures are optimistic."
        )
    return sentences


def _promise(report: Report) -> str:
    promise = summarize(report.model).decision
    if promise is None:
        return "The model was trained without cross-validation, so no precision is promised."
    target = f"{promise.target:.0%} precision"
    if not promise.coverage:
        wanted = f"; about {promise.n_more:,} more rows might" if promise.n_more > 0 else ""
        return (
            f"No threshold is certified: {promise.n_rows:,} held-out rows could not certify {target}"
            f"{wanted}. Review what matters, accepted or not."
        )
    if report.scheme:
        return f"Certified on rows like these: at least {target} of accepted answers at {promise.level:.0%} confidence."
    precision = report.figures.decision.precision
    if precision is None:
        kept = "no answer is accepted here"
    else:
        kept = "these rows confirm it" if precision >= promise.target else "these rows fall short of it"
    return f"Training certified at least {target} of accepted answers: {kept}."


def _kind(scheme: str) -> str:
    return _KINDS.get(scheme, f"rows of an {scheme}")


def _of_100(share: float) -> str:
    """Return a share as a number out of 100, without rounding up to all.

    >>> _of_100(0.954), _of_100(0.999), _of_100(1.0)
    ('95', 'over 99', '100')
    """
    return "over 99" if 0.995 <= share < 1 else f"{100 * share:.0f}"


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


def _plots(report: Report) -> dict[str, str]:
    """Return the plots as SVG, by name."""
    answers, figures = report.answers, report.figures
    promise = summarize(report.model).decision
    target = promise.target if promise else None
    draw = {
        "confusion": partial(_draw_confusion, confusion=figures.confusion, labels=figures.labels),
        "reliability": partial(_draw_reliability, answers=answers),
        "curve": partial(_draw_curve, answers=answers, threshold=figures.decision.threshold, target=target),
    }
    size = max(SIZE, 2 + 0.42 * len(figures.labels)) if len(figures.labels) > N_LARGE else SIZE
    return {name: page.svg(name, drawn, size if name == "confusion" else SIZE) for name, drawn in draw.items()}


def _draw_confusion(axes: Axes, confusion: list[list[float]], labels: list[str]) -> str:
    from matplotlib.colors import LinearSegmentedColormap
    from sklearn.metrics import ConfusionMatrixDisplay

    is_large = len(labels) <= N_LARGE
    shown = [label if len(label) <= MAX_TICK else f"{label[: MAX_TICK - 1]}…" for label in labels]
    # The cells keep their colours on a dark page; black is legible on all of them.
    ConfusionMatrixDisplay(np.array(confusion), display_labels=shown).plot(
        ax=axes,
        cmap=LinearSegmentedColormap.from_list("", ["#ffffff", "#86b6e8"]),
        values_format=",.0f",
        colorbar=False,
        xticks_rotation="horizontal" if max(map(len, shown)) * len(shown) <= N_LINE else "vertical",
        text_kw={"color": "#111111", "fontsize": 14 if is_large else 9},
        im_kw={"vmin": 0},
    )
    for tick in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        # A label with dollar signs is no formula.
        tick.set_parse_math(False)
    axes.set(xlabel="predicted", ylabel="actual")
    if not is_large:
        return f"Confusion matrix of {len(labels)} labels; the table below has its numbers."
    cells = (
        f"actual {label}, predicted {predicted}: {page.count(confusion[i][j])}"
        for i, label in enumerate(labels)
        for j, predicted in enumerate(labels)
    )
    return f"Confusion matrix; {'; '.join(cells)}."


def _draw_reliability(axes: Axes, answers: Answers) -> str:
    from sklearn.calibration import CalibrationDisplay

    decided = np.isin(answers.labels, answers.names)
    display = CalibrationDisplay.from_predictions(
        (answers.labels == answers.predicted)[decided],
        answers.probability[decided],
        n_bins=N_BINS,
        strategy="quantile",
        pos_label=True,
        ax=axes,
        color=page.BLUE,
    )
    legend = axes.get_legend()
    if legend:
        legend.remove()
    reference, _ = axes.get_lines()
    reference.set_color(page.SOFT)
    axes.set(xlabel="probability of the answer", ylabel="share that is right", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    points = (f"{p:.2f}: {q:.2f}" for p, q in zip(display.prob_pred, display.prob_true, strict=True))
    return f"Reliability curve; mean probability of the answers: share that is right: {'; '.join(points)}."


def _draw_curve(axes: Axes, answers: Answers, threshold: float, target: float | None) -> str:
    from matplotlib.ticker import PercentFormatter

    correct = answers.labels == answers.predicted
    points = curve(correct, answers.probability, answers.weights, n_points=N_DRAWN)
    few = min(MIN_DRAWN / len(correct), 0.5)
    points = [p for p in points if p.coverage >= few] or points
    axes.plot([p.coverage for p in points], [p.precision for p in points], color=page.BLUE, linewidth=2)
    description = "Precision against coverage; the table below has the points."
    taken = answers.probability >= threshold
    weight = answers.weights[taken].sum()
    if weight:
        coverage, precision = weight / answers.weights.sum(), answers.weights[taken & correct].sum() / weight
        axes.plot(coverage, precision, "o", color=page.PINK, markersize=8)
        axes.annotate(
            f"threshold {threshold:.3f}",
            (coverage, precision),
            xytext=(8, 8) if coverage < 0.6 else (-8, -14),
            textcoords="offset points",
            ha="left" if coverage < 0.6 else "right",
            color=page.INK,
        )
        description += f" At the threshold {threshold:.3f}, coverage {coverage:.1%}, precision {precision:.1%}."
    if target:
        axes.axhline(target, color=page.SOFT, linestyle="--", linewidth=1)
    axes.set(xlabel="coverage: share of rows accepted", ylabel="precision: share of those right")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return description
