"""How good a model is, as one HTML file that needs nothing else: for a screen of any width, and for print.

Figures come from `evaluation`; here they are only put into words, plots and tables.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from outsort import decision
from outsort.data import values
from outsort.errors import OutputError
from outsort.evaluation.evaluate import Answers, measure
from outsort.explanation import top_terms
from outsort.files import check_output, written_whole
from outsort.labels import ANSWERS
from outsort.metrics import LEVEL, curve, plain
from outsort.numeric import odds_to_proba
from outsort.training import folds, train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from outsort.data.dataset import Dataset
    from outsort.model import Model
    from outsort.training.validation import Validation

#: Service lines shown before the rest is folded away.
N_WORST = 20
#: Characters of a text that a mistake shows.
MAX_SHOWN = 300
#: Bins of the reliability curve, each with as many rows.
N_BINS = 10
#: Points of the drawn curve of precision against coverage.
N_DRAWN = 200
#: Answers that the curve must accept before it is drawn: the share of fewer is chance.
MIN_DRAWN = 20
#: Colours that plots are drawn in, and the variables of the style sheet that take their place: so a plot
#: has the colours of the page, light or dark.
_INKS = {
    "#010203": "var(--ink)",
    "#010204": "var(--soft)",
    "#010205": "var(--bpo)",
    "#010206": "var(--kpo)",
}
_INK, _SOFT, _BPO, _KPO = _INKS
#: What the rows are, of which a scheme of cross-validation tells.
_KINDS = {
    folds.STRATIFIED: "rows like those it has seen",
    folds.LINES_OUT: "rows of service lines it was never shown",
}


@dataclass(frozen=True)
class Report:
    """What a report tells.

    Attributes:
        model: the model.
        answers: the rows, and the answers to them.
        figures: as `evaluation.measure` or `evaluation.evaluate` returns them.
        data: source, sha256, rows and rows_by_label of the rows' data.
        scheme: how the answers were held out in cross-validation; None where the model itself gave them.
    """

    model: Model
    answers: Answers
    figures: Mapping[str, Any]
    data: Mapping[str, Any]
    scheme: str | None = None


def check(path: Path, *, force: bool) -> None:
    """Raise OutputError unless a report can be made and written to `path`: call it before the work."""
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise OutputError(
            f"{path}: a report needs {' and '.join(missing)}; install with pip install 'outsort[report]'."
        )
    check_output(path, force=force)


def of_training(
    model: Model, dataset: Dataset, validation: Validation, weight_column: str | None = None
) -> Report:
    """Report on the held-out answers of the scheme that calibration and threshold were fitted on."""
    rows, log_odds, neither = validation.held_out[validation.scheme]
    weights = values.weights_of(dataset, weight_column) if weight_column else np.ones(len(dataset.texts))
    answers = Answers(
        numbers=[plain(number) for number in dataset.frame.index[rows]],
        texts=[dataset.texts[i] for i in rows],
        labels=np.array(dataset.labels)[rows],
        lines=None if dataset.lines is None else np.array(dataset.lines)[rows],
        p_kpo=odds_to_proba(log_odds)[:, 1],
        p_neither=neither,
        # Which words a fold's model knew went with it: the threshold alone decides.
        accepted=decision.confidence(log_odds, neither) >= decision.threshold_of(model),
        weights=weights[rows],
        source=dataset.source,
    )
    return Report(model, answers, measure(model, answers), model.about["data"], validation.scheme)


def of_evaluation(model: Model, dataset: Dataset, answers: Answers, figures: Mapping[str, Any]) -> Report:
    """Report on a model's own answers to a dataset, with what `evaluation.evaluate` made of them."""
    return Report(model, answers, figures, train.data_identity(dataset))


def render(report: Report) -> str:
    """Return the report as HTML; `check` says whether that can be done.

    The same report gives the same bytes, with the same versions of Matplotlib and Jinja.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "share": _share,
        "score": _score,
        "count": _count,
        "signed": "{:+.2f}".format,
        "breakable": _breakable,
    }
    template = environment.from_string(
        files("outsort.reporting").joinpath("report.html").read_text(encoding="utf-8")
    )
    about = report.model.about
    of_row = report.answers.lines
    lines = [] if of_row is None else by_line(report.answers, of_row)
    return template.render(
        report=report,
        figures=report.figures,
        about=about,
        scores=about.get("scores", {}) if report.scheme else {},
        intervals=report.figures.get("intervals", {}),
        verdict=verdict(report),
        plots=_plots(report),
        lines=[line for line in lines if line["right"] is not None],
        other_lines=[line for line in lines if line["reviewed"] is not None],
        n_worst=N_WORST,
        max_shown=MAX_SHOWN,
        terms=top_terms(report.model),
        weighted=bool((report.answers.weights != 1).any()),
    )


def write(report: Report, path: Path, *, force: bool) -> None:
    """Write the report to `path`, whole or not at all.

    Raises:
        OutputError: `path` exists (and not `force`) or cannot be written.
    """
    # A lone half of a surrogate pair is no UTF-8; as a reference a browser shows that it cannot.
    content = render(report).encode("utf-8", "xmlcharrefreplace")
    with written_whole(path, force=force) as file:
        file.write(content)


def verdict(report: Report) -> list[str]:
    """Say in a few sentences what the figures come to."""
    figures, accepting = report.figures, report.figures["decision"]
    answers = report.answers
    by_weight = "" if (answers.weights == 1).all() else "by weight, "
    kind = _kind(report.scheme) if report.scheme else f"BPO and KPO rows in {report.data['source']}"
    first = f"{by_weight}of 100 {kind}, {_of_100(figures['accuracy'])} are sorted rightly"
    low, high = figures.get("intervals", {}).get("accuracy", (None, None))
    if low is not None:
        first += f" (between {low:.0%} and {high:.0%}, with {LEVEL:.0%} confidence)"
    sentences = [first[0].upper() + first[1:] + "."]
    if accepting["precision"] is None:
        sentences.append("It accepts none without a look: all go to review.")
    else:
        sentences.append(
            f"It takes {accepting['coverage']:.0%} of the BPO and KPO rows without a look; of 100 it "
            f"takes, {_of_100(accepting['precision'])} are right. "
            "The rest goes to review."
        )
    sentences.append(_promise(report))
    if figures.get("share_seen"):
        sentences.append(
            f"Mind that the model was trained on about {figures['share_seen']:.0%} of these texts: these "
            "figures flatter it."
        )
    return sentences


def _promise(report: Report) -> str:
    promise = report.model.about.get("decision")
    if not promise:
        return "The model was trained without cross-validation, so nothing is promised of what it accepts."
    target = f"{promise['target']:.0%}"
    if promise["threshold"] is None:
        more = promise["n_more"]
        wanted = f"; about {more:,} more rows might" if more > 0 else ""
        return (
            f"No threshold is certified: {promise['n_rows']:,} held-out rows could not show that {target} of "
            f"accepted answers are right{wanted}. Look at what matters, accepted or not."
        )
    if report.scheme:
        return (
            f"Certified: at least {target} of accepted answers are right, on rows such as these, with "
            f"{promise['level']:.0%} confidence."
        )
    precision = report.figures["decision"]["precision"]
    if precision is None:
        kept = "none is accepted here"
    else:
        kept = "these rows bear it out" if precision >= promise["target"] else "these rows fall short of it"
    return f"Training certified that at least {target} of accepted answers are right: {kept}."


def _kind(scheme: str) -> str:
    if scheme in _KINDS:
        return _KINDS[scheme]
    return f"rows of a {scheme.removeprefix(folds.UNSEEN.format(''))} it was never shown"


def _of_100(share: float) -> str:
    """Return a share as a number of 100 that promises no more than there is.

    >>> _of_100(0.954), _of_100(0.999), _of_100(1.0)
    ('95', 'over 99', '100')
    """
    return "over 99" if 0.995 <= share < 1 else f"{100 * share:.0f}"


def by_line(answers: Answers, lines: NDArray[np.str_]) -> list[dict[str, Any]]:
    """Score each service line that the data name, worst first; the larger first where they are alike.

    Args:
        answers: the n_rows rows and answers.
        lines: str (n_rows,), the service line of each.

    Returns:
        Dicts of `line`, `n` (rows), `label` (of its rows), `right`: the share of its BPO and KPO rows that
        are sorted rightly, and `reviewed`: the share of its other rows that go to review. Shares are by
        weight; what a line has no rows for is None.
    """
    decided = np.isin(answers.labels, ANSWERS)
    correct = answers.labels == answers.said

    def share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> float | None:
        total = answers.weights[among].sum()
        return float(answers.weights[of & among].sum() / total) if total else None

    result = []
    for line in np.unique(lines):
        here = lines == line

        result.append(
            {
                "line": str(line),
                "n": int(here.sum()),
                "label": ", ".join(sorted(set(answers.labels[here].tolist()))),
                "right": share(correct, here & decided),
                "reviewed": share(~answers.accepted, here & ~decided),
            }
        )

    def worst_first(row: dict[str, Any]) -> tuple[float, int]:
        return (row["reviewed"] if row["right"] is None else row["right"]) or 0.0, -row["n"]

    return sorted(result, key=worst_first)


def _plots(report: Report) -> dict[str, str]:
    """Return the plots as SVG, each under its name."""
    answers, figures = report.answers, report.figures
    target = report.model.about.get("decision", {}).get("target")
    return {
        "confusion": _svg("confusion", _draw_confusion, figures["confusion"]),
        "reliability": _svg("reliability", _draw_reliability, answers),
        "curve": _svg("curve", _draw_curve, answers, figures["decision"]["threshold"], target),
    }


def _draw_confusion(axes: Axes, confusion: list[list[float]]) -> str:
    from matplotlib.colors import LinearSegmentedColormap
    from sklearn.metrics import ConfusionMatrixDisplay

    # The cells keep their colour on a dark page; black is legible on the palest and on the fullest.
    ConfusionMatrixDisplay(np.array(confusion), display_labels=ANSWERS).plot(
        ax=axes,
        cmap=LinearSegmentedColormap.from_list("", ["#ffffff", "#86b6e8"]),
        values_format=",.0f",
        colorbar=False,
        text_kw={"color": "#111111", "fontsize": 14},
        im_kw={"vmin": 0},
    )
    axes.set(xlabel="said", ylabel="is")
    cells = (
        f"is {label}, said {said}: {_count(confusion[i][j])}"
        for i, label in enumerate(ANSWERS)
        for j, said in enumerate(ANSWERS)
    )
    return f"Confusion matrix; {'; '.join(cells)}."


def _draw_reliability(axes: Axes, answers: Answers) -> str:
    from sklearn.calibration import CalibrationDisplay

    decided = np.isin(answers.labels, ANSWERS)
    display = CalibrationDisplay.from_predictions(
        answers.labels[decided] == ANSWERS[1],
        answers.p_kpo[decided],
        n_bins=N_BINS,
        strategy="quantile",
        pos_label=True,
        ax=axes,
        color=_BPO,
    )
    legend = axes.get_legend()
    if legend:
        legend.remove()
    reference, _ = axes.get_lines()
    reference.set_color(_SOFT)
    axes.set(xlabel="probability of KPO", ylabel="share that is KPO", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    points = (f"{p:.2f}: {q:.2f}" for p, q in zip(display.prob_pred, display.prob_true, strict=True))
    return f"Reliability curve; mean probability of KPO: share that is KPO: {'; '.join(points)}."


def _draw_curve(axes: Axes, answers: Answers, threshold: float, target: float | None) -> str:
    from matplotlib.ticker import PercentFormatter

    correct = answers.labels == answers.said
    points = curve(correct, answers.confidence, answers.weights, n_points=N_DRAWN)
    few = min(MIN_DRAWN / len(correct), 0.5)
    points = [p for p in points if p["coverage"] >= few] or points
    axes.plot([p["coverage"] for p in points], [p["precision"] for p in points], color=_BPO, linewidth=2)
    told = "Precision against coverage; the points stand in the table below."
    taken = answers.confidence >= threshold
    weight = answers.weights[taken].sum()
    if weight:
        coverage, precision = weight / answers.weights.sum(), answers.weights[taken & correct].sum() / weight
        axes.plot(coverage, precision, "o", color=_KPO, markersize=8)
        axes.annotate(
            f"threshold {threshold:.3f}",
            (coverage, precision),
            xytext=(8, 8) if coverage < 0.6 else (-8, -14),
            textcoords="offset points",
            ha="left" if coverage < 0.6 else "right",
            color=_INK,
        )
        told += f" At the threshold {threshold:.3f}, coverage {coverage:.1%}, precision {precision:.1%}."
    if target:
        axes.axhline(target, color=_SOFT, linestyle="--", linewidth=1)
    axes.set(xlabel="coverage: share of all rows accepted", ylabel="precision: share of these right")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return told


def _svg(name: str, draw: Callable[..., str], *arguments: Any) -> str:  # noqa: ANN401
    """Return a plot as SVG; `draw` draws it and says in words what it shows.

    Its identifiers begin with its name, for several stand in one page.
    """
    import matplotlib as mpl
    from markupsafe import Markup, escape
    from matplotlib.figure import Figure

    buffer = io.StringIO()
    with mpl.rc_context():
        # Nothing of the user's own style, which may not fit the page.
        mpl.rcdefaults()
        mpl.rc("svg", fonttype="none", hashsalt=name)
        mpl.rc("font", size=10)
        mpl.rc("text", color=_INK)
        mpl.rc("axes", labelcolor=_INK, edgecolor=_INK)
        mpl.rc("axes.spines", top=False, right=False)
        mpl.rc("xtick", color=_INK)
        mpl.rc("ytick", color=_INK)
        figure = Figure(figsize=(4, 3.4), layout="constrained")
        told = draw(figure.subplots(), *arguments)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href=", "href=")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{name}-", svg)
    for colour, variable in _INKS.items():
        svg = svg.replace(colour, variable)
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(told)}"', 1))  # noqa: S704


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _breakable(name: str) -> str:
    """Let a narrow page break a name at its underscores."""
    from markupsafe import Markup, escape

    return escape(name).replace("_", Markup("_<wbr>"))


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.3g}"
