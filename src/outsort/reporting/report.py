"""The quality of a model as one self-contained HTML file, for screens of any width and for print.

A `Report` is made of a training or an evaluation, and rendered or written. Its figures are those of `evaluation`, as
`--json` has them; `plots` draws, and `verdict` words what comes first.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from outsort import decision
from outsort.data import values
from outsort.evaluation.breakdown import label_errors
from outsort.evaluation.evaluate import Answers, Evaluation, measure
from outsort.explanation import top_terms
from outsort.model import Model
from outsort.numeric import wilson
from outsort.reporting import page, plots
from outsort.reporting.captions import SCORES, among, captions, headline, legend, of_ruled, of_unclear, percents
from outsort.reporting.plots import Plot
from outsort.reporting.verdict import verdict
from outsort.results import plain
from outsort.taxonomy import Axis
from outsort.training import folds
from outsort.training.about import DataIdentity, identify, summarize

if TYPE_CHECKING:
    from outsort.data.dataset import Dataset
    from outsort.training.validation import HeldOut, Validation

#: Service lines shown before the rest is collapsed.
N_WORST = 20
#: Characters shown of a mistaken text.
MAX_SHOWN = 300
#: Labels up to which the matrix and the table of labels stand side by side.
N_LARGE = 4
#: Probable label errors that are listed.
N_ERRORS = 10
#: Rules that are listed.
N_RULES = 20


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
    """

    model: Model
    answers: Answers
    figures: Evaluation
    data: DataIdentity
    measured: datetime.date
    scheme: str | None = None
    axis: Axis | None = None

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
    answers = _held_out_answers(model, dataset, held_out, weight_column, by)
    # Rows of known service lines say most about a label; rows of unseen ones may differ for good reason.
    surest = validation.held_out.get(folds.STRATIFIED, held_out)
    errors = label_errors(_held_out_answers(model, dataset, surest, weight_column))
    figures = replace(measure(model, answers), label_errors=errors)
    return Report(model, answers, figures, identify(dataset), _today(), validation.scheme)


def _held_out_answers(
    model: Model, dataset: Dataset, held_out: HeldOut, weight_column: str | None, by: Sequence[str] = ()
) -> Answers:
    rows, proba = held_out.rows, held_out.proba
    return Answers(
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
    return Report(model, answers, figures, identify(dataset), _today(), axis=axis)


def _today() -> datetime.date:
    return datetime.datetime.now().astimezone().date()


def render(reports: Report | Sequence[Report]) -> str:
    """Return reports on one model and one table, one for each axis of a taxonomy, as HTML; call `page.check` first.

    The same reports give the same bytes with the same versions of Matplotlib and Jinja.
    """
    parts = [reports] if isinstance(reports, Report) else list(reports)
    first = parts[0]
    return page.render(
        "report.html",
        {
            "headline": headline,
            "signed": "{:+.2f}".format,
            "percents": percents,
            "of_unclear": of_unclear,
            "of_ruled": of_ruled,
            "wilson": wilson,
        },
        parts=[_content(part, place) for place, part in enumerate(parts)],
        report=first,
        summary=summarize(first.model),
        captions=captions,
        n_large=N_LARGE,
        n_worst=N_WORST,
        n_errors=N_ERRORS,
        n_rules=N_RULES,
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
    threshold = None if answers.by_label else figures.decision.threshold
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
        "reliability": svg(plots.reliability(answers)),
        "curve": svg(plots.precision(answers, threshold, target)),
        "target": target,
        "roc": svg(plots.roc(answers, plotted)) if plotted else None,
        "histograms": [svg(plots.scores(answers, label, threshold)) for label in plotted],
        "has_threshold": threshold is not None,
        "groups": {
            column: svg(drawn) if (drawn := plots.groups(answers, column, i)) else None
            for i, column in enumerate(figures.by)
        },
        "months": {column: plots.is_by_month(answers.groups[column]) for column in figures.by},
        "lines": [(i, line) for i, line in enumerate(figures.service_lines) if line.accuracy is not None],
        "other_lines": [(i, line) for i, line in enumerate(figures.service_lines) if line.reviewed is not None],
        "weighted": bool((answers.weights != 1).any()),
    }


def write(reports: Report | Sequence[Report], path: Path, *, force: bool) -> None:
    """Write what `render` returns to `path` atomically.

    Raises:
        OutputError: `path` exists (and not `force`) or cannot be written.
    """
    page.write(render(reports), path, force=force)
