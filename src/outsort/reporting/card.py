"""A model card in Markdown: what a model is, how good it is, and what it is for (Mitchell et al., 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from outsort.decision import UNCERTIFIED
from outsort.model import Model
from outsort.numeric import LEVEL, wilson
from outsort.reporting.captions import SCORES, figure, legend, percent, percents
from outsort.reporting.layout import Table
from outsort.reporting.terminal import promise_lines, scores_table
from outsort.training.about import summarize

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outsort.training.about import DataIdentity, Promise, Summary
    from outsort.training.validation import HeldOutScores

_LIMITS = """\
It knows only the language of its training data. It weighs words, not meaning: it does not understand
negation, or who does what to whom. It answers even texts of kinds it has never seen; `decision` says when a
person should review. Do not use it for decisions about people: it sorts texts and does not judge anybody's
worth.
"""


def card(model: Model) -> str:
    """Return the model card of `model`, all of it from the model itself."""
    return "\n\n".join(part if isinstance(part, str) else _in_markdown(part) for part in _parts(model)) + "\n"


def card_on_terminal(model: Model) -> Iterator[RenderableType]:
    """Lay out the card for a terminal."""
    from rich.markdown import Markdown

    for is_text, parts in groupby(_parts(model), lambda part: isinstance(part, str)):
        if is_text:
            yield Markdown("\n\n".join(map(str, parts)))
        else:
            yield from parts


def short_card(model: Model) -> Iterator[RenderableType]:
    """Say in a few lines what a model is, how good it is and what it promises."""
    summary = summarize(model)
    data = f"; trained on {summary.data.rows:,} rows of {summary.data.source}" if summary.data else ""
    yield f"model {summary.model}: {_either(model)}{data}"
    if summary.scores:
        yield scores_table(summary.scores, "cross-validation")
    yield from promise_lines(summary.decision)


def _parts(model: Model) -> Iterator[str | Table]:
    """Yield the card in pieces of Markdown, and tables."""
    summary = summarize(model)
    yield "# Model card"
    yield f"Model `{summary.model}` sorts texts into {_either(model)}. `outsort card` prints this card."
    yield "## Data"
    yield _data(summary.data)
    yield "## Model"
    yield _model(model, summary)
    yield "## Scores"
    yield from _scores(model, summary.scores)
    yield "## Accepted answers"
    yield _decision(summary.decision)
    yield "## Intended use"
    yield _intended_use(model)
    yield "## Limits"
    yield _LIMITS.strip()


def _in_markdown(table: Table) -> str:
    rows = [table.columns, ["---"] * len(table.columns), *(map(_plain, row) for row in table.rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _either(model: Model) -> str:
    *most, last = model.labels
    return f"{', '.join(most)} or {last}"


def _data(data: DataIdentity | None) -> str:
    if data is None:
        return "The model does not say what it was trained on."
    counts = ", ".join(f"{n:,} {label}" for label, n in data.rows_by_label.items())
    return (
        f"{_plain(data.source)}: {data.rows:,} rows ({counts}). SHA-256 of texts, labels and service lines: "
        f"`{data.sha256}`."
    )


def _model(model: Model, summary: Summary) -> str:
    over = f"{summary.service_lines} service lines and over labels" if summary.service_lines else "labels"
    sentences = [f"Logistic regression over {over}, plus naive Bayes over the same."]
    if summary.service_lines:
        sentences.append("The probability of a label is the sum over its service lines.")
    sentences.append(
        f"Its {summary.terms:,} terms are words, pairs of adjacent words, and marked pieces of words, each "
        "counted once per text, with smooth idf and L2 norm. Small weights are pruned; the scores below are "
        "those of the pruned model."
    )
    if not model.out_of_scope:
        sentences.append("Its data had no label for what is out of scope, so it cannot recognise any.")
    for title, values in (("Settings", summary.settings), ("Trained with", summary.versions)):
        if values:
            sentences.append(f"{title}: {', '.join(f'{k} {v}' for k, v in values.items())}.")
    return " ".join(sentences)


def _scores(model: Model, scores: Mapping[str, HeldOutScores]) -> Iterator[str | Table]:
    if not scores:
        yield "The model was trained without cross-validation, so its quality is unknown."
        return
    legend_of = _plain(legend(model.labels, model.out_of_scope))
    yield f"Cross-validation: every row is answered by a model that was not trained on it. {legend_of}"
    yield scores_table(scores, "held out")
    yield f"{LEVEL:.0%} intervals of accuracy: {'; '.join(_interval(*item) for item in scores.items())}."
    before = "; ".join(
        f"{_plain(scheme)}, {SCORES['log_loss']} {figure(of.uncalibrated.log_loss)}, "
        f"{SCORES['calibration_error']} {figure(of.uncalibrated.calibration_error)}"
        for scheme, of in scores.items()
    )
    yield f"Before calibration: {before}."


def _interval(scheme: str, of: HeldOutScores) -> str:
    """Return the intervals of the accuracies of a scheme, in words: those of `metrics.effective_rows`."""
    shown = []
    for words, figures in (("", of), (", in scope ", of.in_scope)):
        if figures:
            sums = np.array(figures.confusion).sum(axis=1)
            # Labels in scope come first.
            n_rows = np.array([of.effective_rows.get(label, one.n) for label, one in of.per_class.items()])[: len(sums)]
            # Each label has the square of its sum over its own effective rows as its sum of squares.
            n = sums.sum() ** 2 / (sums[n_rows > 0] ** 2 / n_rows[n_rows > 0]).sum()
            shown.append(f"{words}{percents(wilson(figures.accuracy, float(n)))}")
    return f"{_plain(scheme)} {''.join(shown)}"


def _decision(promise: Promise | None) -> str:
    if promise and promise.coverage:
        of_all = wilson(promise.coverage, promise.n_rows)
        of_accepted = wilson(promise.precision, promise.coverage * promise.n_rows)
        return (
            f"At threshold {promise.threshold:.3f}, coverage is {percent(promise.coverage)} ({percents(of_all)}) of "
            f"{promise.n_rows:,} held-out rows ({_plain(promise.held_out)}) and precision {percent(promise.precision)} "
            f"({percents(of_accepted)}; {LEVEL:.0%} intervals). Certified on such rows: at least {promise.target:.0%} "
            f"precision at {promise.level:.0%} confidence. All other answers go to review."
        )
    start = "No threshold is certified"
    if promise:
        more = f"; about {promise.n_more:,} more might" if promise.n_more > 0 else ""
        start += (
            f": {promise.n_rows:,} held-out rows ({_plain(promise.held_out)}) could not certify "
            f"{promise.target:.0%} precision at {promise.level:.0%} confidence{more}"
        )
    return f"{start}: {UNCERTIFIED}."


def _intended_use(model: Model) -> str:
    shown = "The service line and the top terms" if model.has_lines else "The top terms"
    return (
        "Sorting texts like those it was trained on, with a person reviewing what matters.\n"
        f"{shown} let that person check an answer."
    )


def _plain(text: str) -> str:
    r"""Escape a name for Markdown.

    >>> print(_plain("a|b *c*"))
    a\|b \*c\*
    """
    special = "\\`*_[]<>|"
    return "".join(f"\\{c}" if c in special else " " if c in "\r\n" else c for c in text)
