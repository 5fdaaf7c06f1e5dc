"""Predictions and scores as a person, a spreadsheet or a program wants them."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

from outsort.prediction import explanation_record, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from outsort.explanation import Explanation, Precedent
    from outsort.prediction import Prediction
    from outsort.training.threshold import Certificate

#: The headline scores, and what a table calls them.
SCORES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "ECE",
    "neither_auc": "NEITHER AUC",
}
#: Characters of a text that a table shows.
MAX_SHOWN = 200
#: Words and pairs that an explanation lists, strongest first.
N_TERMS_SHOWN = 12
#: Coverage from which precision is shown: fewer rows say little.
CURVE_FROM = 0.3


class Format(StrEnum):
    """How predictions are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


def write_predictions(predictions: Iterable[Prediction], file: TextIO, style: Format) -> None:
    """Write predictions to `file`, each as soon as it comes; a table and one JSON list at the end."""
    if style is Format.TABLE:
        write_tables(file, [predictions_table(predictions)])
    elif style is Format.JSON:
        json.dump([record(p) for p in predictions], file, ensure_ascii=False, indent=2)
        file.write("\n")
    elif style is Format.JSONL:
        for prediction in predictions:
            file.write(json.dumps(record(prediction), ensure_ascii=False) + "\n")
    else:
        writer = csv.writer(file, lineterminator="\n")
        for i, row in enumerate(map(record, predictions)):
            if i == 0:
                writer.writerow(row)
            writer.writerow(_flat(value) for value in row.values())


def write_explanations(
    explained: Iterable[tuple[Prediction, Explanation, Sequence[Precedent]]],
    file: TextIO,
    style: Format,
    *,
    n_lines: int,
) -> None:
    """Write answers taken apart, each as soon as it comes; one JSON list at the end. CSV has a row a word."""
    if style is Format.TABLE:
        for item in explained:
            write_tables(file, explanation_tables(*item, n_lines=n_lines))
    elif style is Format.JSON:
        json.dump(
            [explanation_record(*i, n_lines=n_lines) for i in explained], file, ensure_ascii=False, indent=2
        )
        file.write("\n")
    elif style is Format.JSONL:
        for item in explained:
            file.write(json.dumps(explanation_record(*item, n_lines=n_lines), ensure_ascii=False) + "\n")
    else:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "word", "start", "end", "log_odds"])
        for prediction, explanation, _ in explained:
            text = prediction.text
            writer.writerow([text, "(bias)", "", "", round(explanation.bias + explanation.spread, 4)])
            for start, end, figure in explanation.words:
                writer.writerow([text, text[start:end], start, end, round(figure, 4)])


#: What a word that speaks for a label looks like, weak to strong; legible on dark and on light terminals.
TINTS = {
    "BPO": ("blue", "bold blue", "bold white on blue"),
    "KPO": ("magenta", "bold magenta", "bold white on magenta"),
}
#: Log-odds from which a word is shown in each of them.
TINTED_FROM = (0.1, 0.5, 1.5)


def explanation_tables(
    prediction: Prediction, explanation: Explanation, precedents: Sequence[Precedent], *, n_lines: int
) -> list[RenderableType]:
    """Lay out an answer taken apart for a terminal."""
    from rich.text import Text

    shown = Text(_printable(prediction.text))
    for start, end, figure in explanation.words:
        strength = sum(abs(figure) >= least for least in TINTED_FROM)
        if strength:
            shown.stylize(TINTS["KPO" if figure > 0 else "BPO"][strength - 1], start, end)
    p = prediction
    answer = f"{p.label} {p.probability:.2f}, {p.decision}" + (f" ({p.reason})" if p.reason else "")
    if p.neither is not None:
        answer += f"; neither {p.neither:.2f}"
    words = sum(word.log_odds for word in explanation.words)
    total = (
        f"log-odds of KPO {explanation.log_odds:+.2f} = words {words:+.2f}, bias {explanation.bias:+.2f}, "
        f"spread over service lines {explanation.spread:+.2f}"
    )
    ranked = sorted(explanation.contributions.items(), key=lambda item: -abs(item[1]))[:N_TERMS_SHOWN]
    tables: list[RenderableType] = [
        shown,
        answer,
        total,
        table(
            ["word or pair", "speaks for", "log-odds"],
            ([_visible(term), "KPO" if f > 0 else "BPO", f"{f:+.2f}"] for term, f in ranked),
            right=[2],
        ),
    ]
    if explanation.lines[:n_lines]:
        rows = ([line, f"{p:.2f}"] for line, p in explanation.lines[:n_lines])
        tables.append(table(["service line", "probability"], rows, right=[1]))
    if precedents:
        columns = ["most like it", "is", "service line", "similarity"]
        cells = ([_visible(t), label, line or "", f"{s:.2f}"] for t, label, line, s in precedents)
        tables.append(table(columns, cells, right=[3], wrap=[0]))
    return tables


def predictions_table(predictions: Iterable[Prediction]) -> Table:
    """Lay predictions out for a terminal; columns that say nothing throughout are left out."""
    rows = []
    for p in predictions:
        row = record(p) | {"text": _visible(p.text)}
        row["probability"] = f"{p.probability:.2f}"
        row["neither"] = "" if p.neither is None else f"{p.neither:.2f}"
        row["for"], row["against"] = (
            ", ".join(term for term, _ in terms) for terms in (p.terms_for, p.terms_against)
        )
        rows.append(row)
    names = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    figures = {"probability", "neither"}
    return table(
        [name.replace("_", " ") for name in names],
        ([row[name] or "" for name in names] for row in rows),
        right=[i for i, name in enumerate(names) if name in figures],
        wrap=[i for i, name in enumerate(names) if name in {"text", "for", "against"}],
    )


def scores_table(scores: Mapping[str, Mapping[str, Any]], first: str) -> Table:
    """Lay out one row of headline scores for each name."""
    columns = [c for c in SCORES if any(s.get(c) is not None for s in scores.values())]
    return table(
        [first, "rows", *(SCORES[c] for c in columns)],
        ([name, str(s["n"]), *(_figure(s.get(c)) for c in columns)] for name, s in scores.items()),
        right=range(1, len(columns) + 2),
    )


def gap_line(scores: Mapping[str, Mapping[str, Any]], usual: str, unlike: str) -> str | None:
    """Say how much worse a model does on work unlike its rows; None where one scheme is missing."""
    if not {usual, unlike} <= set(scores):
        return None
    both = (scores[usual], scores[unlike])
    # Where all the weight lies on one label there is no AUC.
    gaps = (
        f"{SCORES[c]} {both[0][c] - both[1][c]:.3f}"
        for c in ("accuracy", "auc")
        if None not in (both[0][c], both[1][c])
    )
    return (
        f"the gap between {usual} and {unlike}: {', '.join(gaps)}; "
        "expect the latter on kinds of work the data do not hold"
    )


def certificate_line(certificate: Certificate) -> str:
    """Say what a model promises of the answers it accepts, or what it would take."""
    c = certificate
    promise = f"{c.target:.0%} of accepted answers right, with {c.level:.0%} confidence"
    if c.coverage:
        return (
            f"accepted from confidence {c.threshold:.3f} on: {c.coverage:.0%} of held-out rows, "
            f"{c.precision:.1%} of them right; certified: {promise}"
        )
    if c.n_more < 0:
        return f"no threshold: nowhere do {c.n_rows:,} held-out rows come up to {promise}"
    return f"no threshold: {c.n_rows:,} held-out rows cannot certify {promise}; about {c.n_more:,} more might"


def evaluation_tables(result: Mapping[str, Any]) -> list[RenderableType]:
    """Lay out everything `evaluation.evaluate` returns."""
    intervals = result["intervals"]
    columns = [c for c in SCORES if result.get(c) is not None]
    tables: list[RenderableType] = [
        table(
            ["", "all", "95 % interval"],
            [
                ["rows", f"{result['n']:,}", ""],
                *(
                    [SCORES[c], _figure(result[c]), "–".join(map(_figure, intervals.get(c, [])))]
                    for c in columns
                ),
            ],
            right=[1],
        )
    ]
    tables += [scores_table(groups, by) for by, groups in result["by"].items()]
    if result["n_left_out"]:
        tables.append(f"{result['n_left_out']} rows are neither BPO nor KPO and are not in these scores.")
    labels = list(result["per_class"])
    tables.append(
        table(
            ["", "precision", "recall", *(f"said {label}" for label in labels)],
            (
                [
                    f"is {label}",
                    _figure(c["precision"]),
                    _figure(c["recall"]),
                    *(f"{cell:,.0f}" for cell in row),
                ]
                for (label, c), row in zip(result["per_class"].items(), result["confusion"], strict=True)
            ),
            right=range(1, 3 + len(labels)),
        )
    )
    d = result["decision"]
    shares = [
        f"accepted from confidence {d['threshold']:.3f} on: {d['coverage']:.0%} of BPO and KPO rows",
        "" if d["precision"] is None else f"{d['precision']:.1%} of accepted rows are right",
        "" if d["others_reviewed"] is None else f"{d['others_reviewed']:.0%} of the other rows go to review",
    ]
    tables.append("; ".join(filter(None, shares)))
    points = [p for p in result["curve"][1::2] if p["coverage"] >= CURVE_FROM]
    tables.append(
        table(
            ["coverage", *(f"{p['coverage']:.0%}" for p in points)],
            [["precision", *(f"{p['precision']:.1%}" for p in points)]],
            right=range(1, len(points) + 1),
        )
    )
    if result["mistakes"]:
        weighted = any(m["weight"] != 1 for m in result["mistakes"])
        tables.append(
            table(
                [
                    *(["row", "weight"] if weighted else ["row"]),
                    *("costliest mistakes", "is", "said", "probability", "because of"),
                ],
                (
                    [
                        *([str(m["row"]), f"{m['weight']:,g}"] if weighted else [str(m["row"])]),
                        _visible(m["text"]),
                        m["label"],
                        m["predicted"],
                        _figure(m["probability"]),
                        ", ".join(m["for"]),
                    ]
                    for m in result["mistakes"]
                ),
                right=[0, 1, 5] if weighted else [0, 4],
                wrap=[2, 6] if weighted else [1, 5],
            )
        )
    return tables


def judgement_line(judgement: Mapping[str, Any], test: str = "McNemar") -> str:
    """Say in a sentence or two what `comparison.judge` found; `test` is what its p-value is called."""
    low, high = judgement["interval"]
    verdict = "worse" if judgement["worse"] else "better" if low > 0 else "no worse"
    return (
        f"The new model is {verdict}: accuracy {judgement['difference']:+.3f} (95 % interval {low:+.3f} to "
        f"{high:+.3f}); {judgement['got_right']} rows now right, {judgement['got_wrong']} now wrong "
        f"({test} p = {judgement['p_value']:.3g})."
    )


def comparison_tables(result: Mapping[str, Any]) -> list[RenderableType]:
    """Lay out everything `comparison.compare` returns."""
    moves = result["decisions"]
    tables: list[RenderableType] = [
        judgement_line(result),
        scores_table({name: result[name] for name in ("old", "new")}, "model"),
        f"{result['flipped']} labels flip, {result['weight_moved']:.1%} of the weight; "
        f"{moves['accept_to_review']} rows go from accept to review, {moves['review_to_accept']} back.",
    ]
    if result["flips"]:
        weighted = any(flip["weight"] != 1 for flip in result["flips"])
        rows = (
            [
                *([str(flip["row"]), f"{flip['weight']:,g}"] if weighted else [str(flip["row"])]),
                *(_visible(flip["text"]), flip["label"], flip["old"], flip["new"]),
            ]
            for flip in result["flips"]
        )
        heads = [
            *(["row", "weight"] if weighted else ["row"]),
            "labels that flip",
            "is",
            "old said",
            "new said",
        ]
        tables.append(table(heads, rows, right=[0, 1] if weighted else [0], wrap=[2 if weighted else 1]))
    return tables


#: What each check of `audit.audit` looks for, in words.
CHECKS = {
    "empty": "rows without a text",
    "not_text": "texts that are no description",
    "unknown_labels": "labels that are none of BPO, KPO, NEITHER, UNCLEAR",
    "exact_duplicates": "texts that stand there before",
    "two_labels": "texts under two labels",
    "lines_of_two_labels": "rows whose service line has another label before",
    "near_duplicates": "pairs of near duplicates",
    "thin_lines": "service lines (or labels) with too few rows",
    "style": "style gives the label away",
    "label_errors": "labels that are probably wrong",
}


def check_tables(result: Mapping[str, Any], n_shown: int) -> list[RenderableType]:
    """Lay out what `audit.audit` returns, with `n_shown` findings of each kind at most."""
    tables: list[RenderableType] = [f"{result['source']}: {result['n']:,} rows, {result['encoding']}"]
    for name in ("label", "register"):
        counts = result[f"by_{name}"]
        if counts:
            rows = ([value or "(blank)", f"{n:,}", f"{n / result['n']:.1%}"] for value, n in counts.items())
            tables.append(table([name, "rows", "share"], rows, right=[1, 2]))
    found = [(name, what) for name, what in CHECKS.items() if name in result]
    tables.append(
        table(["check", "found", "verdict"], (_verdict(result, *item) for item in found), right=[1])
    )
    for name, what in found:
        findings = result[name].get("worst", [])[:n_shown]
        if findings:
            columns = list(findings[0])
            tables.append(f"{what}:")
            tables.append(
                table(
                    [column.replace("_", " ") for column in columns],
                    ([_visible(str(finding[column])) for column in columns] for finding in findings),
                    wrap=[i for i, column in enumerate(columns) if column.endswith("text")],
                )
            )
    return tables


def plan_tables(result: Mapping[str, Any], n_lines: int) -> list[RenderableType]:
    """Lay out what `planning.plan` returns for a terminal."""
    found: list[RenderableType] = [
        table(
            ["rows trained on", "accuracy on held-out rows"],
            [[f"{point['rows']:,}", f"{point['accuracy']:.3f}"] for point in result["curve"]],
            right=(0, 1),
        )
    ]
    least = f"{100 * result['min_gain']:.2g} points"
    if result["fit"] is None:
        found.append("Accuracy does not rise with rows: more like these are not worth making.")
    elif result["worth"]:
        about = "More than" if result["is_more"] else "About"
        found.append(
            f"{about} {result['worth']:,} more labels are worth making: up to there, 100 of them raise the "
            f"accuracy by {least} or more."
        )
    else:
        found.append(
            f"No more labels are worth making: after {result['rows']:,} rows, 100 more raise the accuracy by "
            f"less than {least}."
        )
    if result["forecast"]:
        found.append(
            table(
                ["more labels", "accuracy", "by the curves of single folds"],
                [
                    [f"{at['labels']:,}", f"{at['accuracy']:.3f}", "–".join(f"{a:.3f}" for a in at["range"])]
                    for at in (
                        {"labels": 0, "accuracy": result["accuracy"], "range": []},
                        *result["forecast"],
                    )
                ],
                right=(0, 1, 2),
            )
        )
    made = f"{result['to_make']:,} labels to make" if result["to_make"] else "most mistakes first"
    found.append(
        table(
            [f"service line, {made}", "label", "rows", "accuracy", "labels to make"],
            [
                [
                    line["service_line"],
                    line["label"],
                    f"{line['rows']:,}",
                    f"{line['accuracy']:.3f}",
                    f"{line['labels']:,}",
                ]
                for line in result["lines"][:n_lines]
            ],
            right=(2, 3, 4),
        )
    )
    left = result["lines"][n_lines:]
    if left:
        found.append(f"and {len(left)} lines more, {sum(line['labels'] for line in left):,} labels to make")
    return found


def _verdict(result: Mapping[str, Any], name: str, what: str) -> list[str]:
    finding = result[name]
    if name == "style":
        found = f"{finding['accuracy']:.3f}"
        what = f"{what} (accuracy; chance is 0.5, the limit {finding['limit']:g})"
    else:
        found = f"{finding['n']:,}"
    if name == "near_duplicates":
        what = f"{what} (similarity {finding['limit']:g} or more), {finding['n_across_folds']:,} across folds"
    if name == "thin_lines":
        what = f"{what} (under {finding['limit']})"
    if name == "label_errors":
        return [what, found, "look at them" if finding["n"] else "ok"]
    return [what, found, "FAILS" if name in result["failed"] else "ok"]


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Iterable[int] = (),
    wrap: Iterable[int] = (),
) -> Table:
    """Lay out rows of text under column names.

    Args:
        columns: the names.
        rows: the cells, which are shown as they are.
        right: places of the columns set flush right.
        wrap: places of the columns broken into lines where the terminal is narrow.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    right, wrap = set(right), set(wrap)
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        result.add_column(name, justify="right" if i in right else "left", no_wrap=i not in wrap)
    for row in rows:
        # Text, not a string: square brackets of a description are no markup.
        result.add_row(*map(Text, row))
    return result


def write_tables(file: TextIO, tables: Iterable[RenderableType]) -> None:
    """Write tables and lines of text to `file`, in colour on a terminal only."""
    from rich.console import Console

    console = Console(file=file, highlight=False, width=None if file.isatty() else 130)
    for item in tables:
        console.print(item)


@contextlib.contextmanager
def progress_line() -> Iterator[Callable[[int, float], None] | None]:
    """Show rows, rate and time left on a terminal's standard error; yield None where there is none."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f} a second"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=1.0, rows=0, rate=0.0)
        start = time.perf_counter()

        def update(rows: int, share: float) -> None:
            rate = rows / (time.perf_counter() - start)
            shown.update(task, completed=share, rows=rows, rate=rate)

        yield update


def _flat(value: object) -> object:
    """Return a value as a CSV cell: a list of terms becomes their names."""
    return "; ".join(item["term"] for item in value) if isinstance(value, list) else value


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _visible(text: str) -> str:
    """Return the head of a text without the control characters that would command a terminal."""
    head = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return _printable(head)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
