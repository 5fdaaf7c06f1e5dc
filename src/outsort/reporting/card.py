"""A model card in Markdown: what a model is, how good it is, and what it is for (Mitchell et al., 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outsort.decision import DEFAULT_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outsort.model import Model

#: The scores of the table, and what it calls them.
_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "log_loss": "log loss (nats)",
    "brier": "Brier",
    "calibration_error": "calibration error",
    "neither_auc": "NEITHER AUC",
}
_INTENDED_USE = """\
Sorting RFP lines, contract registers, job posts and task lists, with a person looking at what matters.
The service line and the terms are there so that an answer can be argued with.
"""
_LIMITS = """\
It knows the language of its data. It reads words, not meaning: negations and who does what to whom are
beyond it. A text of an unforeseen kind gets an answer too; `decision` says when a person should look. It
must not decide about people: it sorts descriptions of work, not the worth of it.
"""


def card(model: Model) -> str:
    """Return the model card of `model`, all of it from what the model itself holds."""
    about = model.about
    parts = [
        "# Model card",
        f"Model `{model.fingerprint}`, which sorts descriptions of work into BPO or KPO. "
        "This card is what `outsort card` prints.",
        "## Data",
        _data(about.get("data", {})),
        "## Model",
        _model(model),
        "## Scores",
        _scores(about.get("scores", {})),
        "## Which answers it accepts",
        _decision(about.get("decision", {})),
        "## Intended use",
        _INTENDED_USE.strip(),
        "## Limits",
        _LIMITS.strip(),
    ]
    return "\n\n".join(parts) + "\n"


def _data(data: Mapping[str, Any]) -> str:
    if not data:
        return "The model does not say what it was trained on."
    counts = ", ".join(f"{n:,} {label}" for label, n in data["rows_by_label"].items())
    return (
        f"{_plain(data['source'])}: {data['rows']:,} rows ({counts}). SHA-256 of texts, labels and service "
        f"lines: `{data['sha256']}`."
    )


def _model(model: Model) -> str:
    over = (
        f"service lines, of which it knows {len(model.lines)}, and over labels"
        if model.has_lines
        else "labels"
    )
    sentences = [f"Logistic regression over {over}, with naive Bayes over the same added."]
    if model.has_lines:
        sentences.append("Rolled up, the probabilities of a label's lines add up.")
    sentences.append(
        f"Its {len(model.terms):,} terms are words, pairs of adjacent words, and pieces of marked words, "
        "each counted once a text, times smooth idf, L2 norm; small weights are dropped, and the figures "
        "below are those without them."
    )
    if not model.knows_neither:
        sentences.append("It was shown no work that is neither BPO nor KPO and cannot tell it.")
    settings = model.about.get("settings", {})
    versions = model.about.get("versions", {})
    for title, values in (("Settings", settings), ("Made with", versions)):
        if values:
            sentences.append(f"{title}: {', '.join(f'{k} {v}' for k, v in values.items())}.")
    return " ".join(sentences)


def _scores(scores: Mapping[str, Mapping[str, Any]]) -> str:
    if not scores:
        return "The model was trained without cross-validation: how good it is, nobody has measured."
    rows = [
        ["held out", "rows", *_COLUMNS.values()],
        ["---"] * (len(_COLUMNS) + 2),
        *(
            [_plain(scheme), f"{found['n']:,}", *(_figure(found.get(name)) for name in _COLUMNS)]
            for scheme, found in scores.items()
        ),
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    before = "; ".join(
        f"{_plain(scheme)}, log loss {_figure(found['uncalibrated']['log_loss'])}, calibration error "
        f"{_figure(found['uncalibrated']['calibration_error'])}"
        for scheme, found in scores.items()
    )
    return (
        "Cross-validation, BPO against KPO, by models without the rows they answer; NEITHER AUC is for "
        f"telling work that is neither from the rest.\n\n{table}\n\nBefore calibration: {before}."
    )


def _decision(decision: Mapping[str, Any]) -> str:
    if not decision or decision["threshold"] is None:
        start = "No threshold is certified"
        if decision:
            more = f"; about {decision['n_more']:,} more might" if decision["n_more"] > 0 else ""
            start += (
                f": {decision['n_rows']:,} held-out rows ({_plain(decision['held_out'])}) could not show "
                f"that {decision['target']:.0%} of accepted answers are right{more}"
            )
        return f"{start}. Answers are accepted from confidence {DEFAULT_THRESHOLD:g} on, without a promise."
    return (
        f"Those from confidence {decision['threshold']:.3f} on: {decision['coverage']:.1%} of "
        f"{decision['n_rows']:,} held-out rows ({_plain(decision['held_out'])}), of which "
        f"{decision['precision']:.1%} are right, an accepted row that is neither being wrong. Certified: at "
        f"least {decision['target']:.0%} right on such rows, with {decision['level']:.0%} confidence. The "
        "rest is for a person to look at."
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _plain(text: str) -> str:
    r"""Keep what a file or column is called from being read as Markdown.

    >>> print(_plain("a|b *c*"))
    a\|b \*c\*
    """
    special = "\\`*_[]<>|"
    return "".join(f"\\{c}" if c in special else " " if c in "\r\n" else c for c in text)
