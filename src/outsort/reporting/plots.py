"""The pictures of a report, each with its figures in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from outsort.evaluation.evaluate import Answers
from outsort.metrics import curve, share_interval, weighted_share
from outsort.numeric import Floats
from outsort.reporting import page
from outsort.reporting.captions import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from outsort.metrics import Scores

#: Bins of the reliability curve, each with the same number of rows; and of a histogram of scores, each as wide.
N_BINS, N_BARS = 10, 20
#: Points of a plotted curve.
N_DRAWN = 200
#: Accepted answers from which the curve is plotted: precision of fewer is noise.
MIN_DRAWN = 20
#: Labels that have a histogram and a ROC curve: of more, those with the smallest area under it.
N_LABELS = len(page.COLOURS)
#: Values of a group that are plotted, and characters of a name.
N_GROUPS, MAX_NAME = 20, 24
#: Width of a plot in inches; of a small one.
SIZE, SMALL = 4.0, 3.0


class Plot(NamedTuple):
    """A picture to draw: its name, what draws it and returns its figures in words, and its size in inches."""

    name: str
    draw: Callable[[Axes], str]
    width: float = SIZE
    height: float | None = None

    def svg(self, prefix: str = "") -> str:
        """Draw it; `prefix` tells it from pictures of the same name in a page."""
        return page.svg(f"{prefix}{self.name}", self.draw, self.width, self.height)


def reliability(answers: Answers) -> Plot:
    """Draw the share of right answers against their probability."""
    return Plot("reliability", partial(_draw_reliability, answers=answers))


def precision(answers: Answers, threshold: float | None, target: float | None) -> Plot:
    """Draw precision against coverage, with the threshold and the target precision."""
    drawn = partial(_draw_precision, answers=answers, threshold=threshold, target=target)
    return Plot("curve", drawn)


def roc(answers: Answers, labels: Sequence[str]) -> Plot:
    """Draw the ROC curve of some labels, each against the rest."""
    return Plot("roc", partial(_draw_roc, answers=answers, labels=labels), SMALL)


def scores(answers: Answers, label: str, threshold: float | None) -> Plot:
    """Draw histograms of the probability of a label: of its rows, and of the others."""
    place = list(answers.names).index(label)
    drawn = partial(_draw_scores, answers=answers, label=label, threshold=threshold)
    return Plot(f"scores{place}", drawn, SMALL)


def groups(answers: Answers, column: str, place: int) -> Plot | None:
    """Draw the accuracy of each value of a column, or of each month; None if there are not two.

    Args:
        answers: the answers.
        column: one of their `groups`.
        place: its number in the page.
    """
    values = answers.groups[column]
    known, correct = np.isin(answers.labels, answers.names), answers.labels == answers.predicted
    found = {}
    for value in np.unique(values).tolist():
        rows = known & (values == value)
        share, ends = weighted_share(answers.weights, correct, rows), share_interval(answers.weights, correct, rows)
        if share is not None and ends:
            found[value or "(blank)"] = (int(rows.sum()), share, ends)
    if len(found) < 2:
        return None
    if is_by_month(values):
        return Plot(f"by{place}", partial(_draw_months, found=found), SIZE, 0.6 * SIZE)
    largest = dict(sorted(found.items(), key=lambda item: -item[1][0])[:N_GROUPS])
    whole = weighted_share(answers.weights, correct, known) or 0.0
    height = 0.9 + 0.28 * len(largest)
    return Plot(f"by{place}", partial(_draw_groups, found=largest, whole=whole), SIZE, height)


def is_by_month(values: NDArray[np.str_]) -> bool:
    """Return whether the values of a column are months, as `groups_of` writes them."""
    written = values[values != ""]
    try:
        return bool(len(written)) and (written.astype("datetime64[M]").astype(str) == written).all()
    except ValueError:
        return False


def hardest(figures: Scores) -> list[str]:
    """Return the labels that are plotted, those with rows and other rows: in their order, of many the hardest."""
    areas = {label: of.auc for label, of in figures.per_class.items() if of.auc is not None}
    chosen = sorted(areas, key=lambda label: areas[label])[:N_LABELS]
    return [label for label in figures.labels if label in chosen]


def shortened(name: str) -> str:
    """Return a name as an axis has room for it."""
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


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


def _draw_precision(axes: Axes, answers: Answers, threshold: float | None, target: float | None) -> str:
    correct = answers.labels == answers.predicted
    points = curve(correct, answers.probability, answers.weights, n_points=N_DRAWN)
    few = min(MIN_DRAWN / len(correct), 0.5)
    points = [p for p in points if p.coverage >= few] or points
    axes.plot([p.coverage for p in points], [p.precision for p in points], color=page.BLUE, linewidth=2)
    description = "Precision against coverage; the table below has the points."
    taken = answers.probability >= (np.inf if threshold is None else threshold)
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
        description += (
            f" At the threshold {threshold:.3f}, coverage {percent(coverage)}, precision {percent(precision)}."
        )
    if target:
        axes.axhline(target, color=page.SOFT, linestyle="--", linewidth=1)
    axes.set(xlabel="coverage: share of rows accepted", ylabel="precision: share of those right")
    axes.set_xlim(0, 1)
    _in_per_cent(axes, "xy")
    return description


def _draw_roc(axes: Axes, answers: Answers, labels: Sequence[str]) -> str:
    from sklearn.metrics import auc, roc_curve

    decided = np.isin(answers.labels, answers.names)
    weights, actual = answers.weights[decided], answers.labels[decided]
    areas = []
    axes.plot([0, 1], [0, 1], color=page.SOFT, linestyle=":", linewidth=1)
    for label, colour in zip(labels, page.COLOURS, strict=False):
        proba = answers.proba[decided, list(answers.names).index(label)]
        wrong, right, _ = roc_curve(actual == label, proba, sample_weight=weights)
        areas.append(f"{shortened(label)} {auc(wrong, right):.3f}")
        # As many points as the eye can tell apart, spread along the curve.
        way = wrong + right
        kept = np.unique(np.searchsorted(way, np.linspace(0, way[-1], N_DRAWN)))
        axes.plot(wrong[kept], right[kept], color=colour, linewidth=1.8, label=areas[-1])
    for text in axes.legend(loc="lower right", title="AUC", fontsize=9).get_texts():
        text.set_parse_math(False)
    axes.set_title("ROC curves", color=page.INK, fontsize=11)
    axes.set(xlabel="share of other rows taken for it", ylabel="share of its rows found")
    _in_per_cent(axes, "xy")
    return f"ROC curve of each label against the rest; area under it: {', '.join(areas)}."


def _draw_scores(axes: Axes, answers: Answers, label: str, threshold: float | None) -> str:
    proba = answers.proba[:, list(answers.names).index(label)]
    own = answers.labels == label
    edges = np.linspace(0, 1, N_BARS + 1)
    shares = [_histogram(proba[rows], answers.weights[rows], edges) for rows in (own, ~own)]
    axes.stairs(shares[0], edges, fill=True, color=page.BLUE, alpha=0.55)
    axes.stairs(shares[1], edges, color=page.PINK, linewidth=1.6)
    axes.set_title(shortened(label), color=page.INK, fontsize=11, parse_math=False)
    axes.set(xlabel="its probability", xlim=(0, 1))
    _in_per_cent(axes, "y")
    description = f"Histogram of the probability of {label}, for its rows and for the others."
    if threshold is None:
        return description
    axes.axvline(threshold, color=page.SOFT, linestyle="--", linewidth=1)
    above = [percent(weighted_share(answers.weights, proba >= threshold, rows)) for rows in (own, ~own)]
    return f"{description} At the threshold {threshold:.3f} or above: {above[0]} and {above[1]}."


def _histogram(values: Floats, weights: Floats, edges: Floats) -> Floats:
    """Return the share of the weight in each bin; zeros without any."""
    found, _ = np.histogram(values, edges, weights=weights)
    return np.asarray(found / (found.sum() or 1.0))


def _draw_groups(axes: Axes, found: Mapping[str, tuple[int, float, tuple[float, float]]], whole: float) -> str:
    places = range(len(found))[::-1]
    _points(axes, found, places, is_across=True)
    axes.axvline(whole, color=page.SOFT, linestyle="--", linewidth=1)
    axes.set_yticks(places, [f"{shortened(name)} ({n:,})" for name, (n, _, _) in found.items()])
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.set_xlabel("accuracy")
    _in_per_cent(axes, "x")
    return _accuracies(found)


def _draw_months(axes: Axes, found: Mapping[str, tuple[int, float, tuple[float, float]]]) -> str:
    places = range(len(found))
    axes.plot(places, [share for _, share, _ in found.values()], color=page.BLUE, linewidth=1)
    _points(axes, found, places, is_across=False)
    step = -(-len(found) // 5)
    axes.set_xticks(places[::step], list(found)[::step])
    axes.set_ylabel("accuracy")
    _in_per_cent(axes, "y")
    return _accuracies(found)


def _points(
    axes: Axes, found: Mapping[str, tuple[int, float, tuple[float, float]]], places: Sequence[int], *, is_across: bool
) -> None:
    shares = [share for _, share, _ in found.values()]
    below = [share - low for _, share, (low, _) in found.values()]
    above = [high - share for _, share, (_, high) in found.values()]
    # Rounding may leave a whole share a hair beyond its end.
    errors = np.maximum([below, above], 0)
    x, y = (shares, places) if is_across else (places, shares)
    axes.errorbar(
        x,
        y,
        xerr=errors if is_across else None,
        yerr=None if is_across else errors,
        fmt="o",
        color=page.BLUE,
        ecolor=page.SOFT,
        capsize=3,
        markersize=6,
    )


def _accuracies(found: Mapping[str, tuple[int, float, tuple[float, float]]]) -> str:
    return f"Accuracy: {'; '.join(f'{name} {percent(share)} of {n:,}' for name, (n, share, _) in found.items())}."


def _in_per_cent(axes: Axes, which: str) -> None:
    from matplotlib.ticker import FuncFormatter

    for name in which:
        getattr(axes, f"{name}axis").set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g}%"))
