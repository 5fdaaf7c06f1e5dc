"""Predictions and explanations as text tables, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from outsort.decision import MIXED
from outsort.explanation import SHOWN_FROM, is_reason
from outsort.files import csv_record
from outsort.prediction import explanation_record, record
from outsort.reporting.layout import JOINT, Table, printable, table, visible, write_tables
from outsort.reporting.styles import AnswerFormat

if TYPE_CHECKING:
    from rich.console import RenderableType

    from outsort.explanation import Clause, Explanation, Precedent
    from outsort.prediction import Prediction, Ruling

#: Width below which each prediction is a block: its texts and terms need room.
BLOCK_BELOW = 110
#: Terms of an explanation that a table shows.
N_TERMS_SHOWN = 12
#: Clauses of an explanation that a table shows, those that count most.
N_CLAUSES_SHOWN = 12
#: Labels that a table shows beside the answer, and the least share of a text that it shows.
N_OTHERS, LEAST_SHARE = 2, 0.005


def write_predictions(predictions: Iterable[Prediction], file: TextIO, style: AnswerFormat) -> None:
    """Write predictions to `file` as they come; a table or a JSON list at the end."""
    if style is AnswerFormat.TABLE:
        write_tables(file, [predictions_table(predictions)])
    elif style is AnswerFormat.CSV:
        for i, row in enumerate(map(record, predictions)):
            if i == 0:
                _write_row(file, row)
            _write_row(file, map(_flat, row.values()))
    else:
        _write_json(map(record, predictions), file, style)


def write_explanations(
    explained: Iterable[tuple[Prediction, Explanation, Sequence[Precedent]]],
    file: TextIO,
    style: AnswerFormat,
    *,
    n_lines: int,
) -> None:
    """Write explanations to `file` as they come; a JSON list at the end. CSV has a row per word."""
    if style is AnswerFormat.TABLE:
        for item in explained:
            write_tables(file, explanation_tables(*item, n_lines=n_lines))
    elif style is AnswerFormat.CSV:
        _write_row(file, ["text", "word", "start", "end", "log_odds"])
        for prediction, explanation, _ in explained:
            text = prediction.text
            _write_row(file, [text, "(bias)", "", "", round(explanation.bias + explanation.spread, 4)])
            for start, end, figure in explanation.words:
                _write_row(file, [text, text[start:end], start, end, round(figure, 4)])
    else:
        _write_json((explanation_record(*item, n_lines=n_lines) for item in explained), file, style)


def _write_row(file: TextIO, cells: Iterable[object]) -> None:
    file.write(csv_record(cells) + "\n")


def _write_json(records: Iterable[object], file: TextIO, style: AnswerFormat) -> None:
    if style is AnswerFormat.JSON:
        file.write(json.dumps(list(records), ensure_ascii=False, indent=2) + "\n")
    else:
        for item in records:
            file.write(json.dumps(item, ensure_ascii=False) + "\n")


#: Log-odds from which a word for or against the label has each style.
TINTED_FROM = {"weak": SHOWN_FROM, "clear": 0.5, "strong": 1.5}


def explanation_tables(
    prediction: Prediction, explanation: Explanation, precedents: Sequence[Precedent], *, n_lines: int
) -> Iterator[RenderableType]:
    """Lay out an explanation for a terminal."""
    from rich.text import Text

    shown = Text(printable(prediction.text))
    for start, end, figure in explanation.words:
        if is_reason(prediction.text[start:end], figure):
            strength = [name for name, least in TINTED_FROM.items() if abs(figure) >= least][-1]
            shown.stylize(f"{'for' if figure > 0 else 'against'}.{strength}", start, end)
    p = prediction
    answer = f"{p.label} {p.probability:.2f}, {p.decision}" + (f" ({p.reason})" if p.reason else "")
    answer += f"; {_others(p)}"
    if len(explanation.clauses) > 1:
        answer += f"\nby its clauses {_made_of(p)}"
    if p.ruling and p.ruling.rule:
        answer += f"\nby rule {printable(_ruled(p.ruling))}"
    words = sum(word.log_odds for word in explanation.words)
    rest = "several likely service lines, calibration" if explanation.lines else "calibration"
    total = (
        f"log-odds of {explanation.label} {explanation.log_odds:+.2f} = words {words:+.2f}, "
        f"bias {explanation.bias:+.2f}, rest {explanation.spread:+.2f} ({rest})"
    )
    yield from (shown, answer, total)
    if len(explanation.clauses) > 1:
        yield _clauses_table(explanation)
    yield _terms_table(explanation)
    if explanation.lines[:n_lines]:
        lines = ([line, f"{p:.2f}"] for line, p in explanation.lines[:n_lines])
        yield table(["service line", "probability"], lines, right=[1])
    if precedents:
        heads = ["most similar texts", "label", "service line", "similarity"]
        cells = ([visible(t), label, line or "", f"{s:.2f}"] for t, label, line, s in precedents)
        yield table(heads, cells, right=[3], wrap=[0], spare=[2])


def _terms_table(explanation: Explanation) -> Table:
    """Lay out the reasons that count most, and the sum of all other words, so that the figures add up."""
    reasons = list(explanation.reasons.items())[:N_TERMS_SHOWN]
    rest = sum(explanation.contributions.values()) - sum(figure for _, figure in reasons)
    rows = [*reasons, ("(other words)", rest)] if len(reasons) < len(explanation.contributions) else reasons
    cells = ([visible(term), "for" if figure > 0 else "against", f"{figure:+.2f}"] for term, figure in rows)
    return table(["term", "speaks", "log-odds"], cells, right=[2])


def _clauses_table(explanation: Explanation) -> Table:
    """Lay out the clauses that count most, in the order of the text, with their shares."""
    shown = sorted(sorted(explanation.clauses, key=lambda clause: -clause.share)[:N_CLAUSES_SHOWN])
    n_left_out = len(explanation.clauses) - len(shown)
    heads = [f"clause (without {n_left_out:,} that count less)" if n_left_out else "clause", "counts", "alone"]

    def cells(clause: Clause) -> list[str]:
        label, p = max(clause.probabilities.items(), key=lambda item: item[1])
        return [
            visible(explanation.text[clause.start : clause.end].strip()),
            f"{clause.share:.0%}",
            f"{label}{JOINT}{p:.2f}",
        ]

    return table(heads, map(cells, shown), right=[1], wrap=[0])


def _made_of(prediction: Prediction) -> str:
    """Return the shares of the labels, largest first, with how far they may be off."""
    shares = sorted(prediction.shares.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{label}{JOINT}{share:.0%}" for label, share in shares if share >= LEAST_SHARE)
    return f"{listed}, give or take{JOINT}{prediction.share_margin:.0%}"


def _others(prediction: Prediction) -> str:
    """Return the next most probable labels, up to `N_OTHERS`, with their probabilities."""
    others = [(p, label) for label, p in prediction.probabilities.items() if label != prediction.label]
    return ", ".join(f"{label}{JOINT}{p:.2f}" for p, label in sorted(others, key=lambda item: -item[0])[:N_OTHERS])


def predictions_table(predictions: Iterable[Prediction]) -> Table:
    """Lay out predictions for a terminal, without empty columns."""
    rows = [_shown(prediction) for prediction in predictions]
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    return table(
        names,
        ([row[name] for name in names] for row in rows),
        right=[i for i, name in enumerate(names) if name == "probability"],
        wrap=[i for i, name in enumerate(names) if name in {"text", "shares", "rule", "for", "against"}],
        block_below=BLOCK_BELOW,
    )


def _shown(p: Prediction) -> dict[str, str]:
    """Return the cells of a prediction by column."""
    return {
        "text": visible(p.text) or "(empty)",
        "label": p.label,
        "probability": f"{p.probability:.2f}",
        "others": _others(p),
        "decision": p.decision,
        "reason": p.reason,
        "service line": p.service_line or "",
        "shares": _made_of(p) if p.reason == MIXED else "",
        **{
            one.column.replace("_", " "): f"{one.code}{JOINT}{one.probability:.2f}, {one.decision}"
            for one in p.categories
        },
        **({"rule": _ruled(p.ruling)} if p.ruling else {}),
        "for": ", ".join(term for term, _ in p.terms_for),
        "against": ", ".join(term for term, _ in p.terms_against),
    }


def _ruled(ruling: Ruling) -> str:
    """Return the rule that decided and what the model would have answered; "" for none."""
    return f"{ruling.rule} (model: {ruling.model_label}, {ruling.model_decision})" if ruling.rule else ""


def _flat(value: object) -> object:
    """Return a value as a CSV cell: a list of terms as their names, probabilities as "label p"."""
    if isinstance(value, dict):
        return "; ".join(f"{label} {p}" for label, p in value.items())
    return "; ".join(item["term"] for item in value) if isinstance(value, list) else value
