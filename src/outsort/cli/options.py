"""Options that several commands share, and what they have in common when they run."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outsort.cli.command import note
from outsort.errors import DataError, counted, did_you_mean, raised_as
from outsort.labels import LABELS, UNCLEAR
from outsort.reporting.styles import AnswerFormat
from outsort.tables import formats

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from contextlib import AbstractContextManager

    from rich.console import RenderableType

    from outsort.data.dataset import Dataset
    from outsort.model import Model
    from outsort.results import Result
    from outsort.rules.rule import Rules
    from outsort.tables.base import ReadOptions


def _starting(*values: str) -> Callable[[str], list[str]]:
    """Return what completes one of some values in a shell."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete


#: Labels of the model that ships: those of another are in its file, which a shell would wait for.
_of_label = _starting(*(f"{label}=" for label in LABELS))

Data = Annotated[Path, typer.Argument(help="Table of labelled texts: csv, tsv, jsonl, json, parquet, xlsx.")]
TextColumn = Annotated[
    str | None,
    typer.Option(help="Text column: name, number or letter; 'a|b' for b where a is blank. Found by heading and cells."),
]
LabelColumn = Annotated[str | None, typer.Option(help="Label column; detected by its usual names.")]
LabelMap = Annotated[
    str | None,
    typer.Option(
        metavar="OWN=LABEL,…", help="What the labels in the data mean, or a table of two columns: own label, label."
    ),
]
OutOfScope = Annotated[
    str | None,
    typer.Option(help="Label for what is out of scope; default: one named NEITHER, none or out of scope. '' for none."),
]
Clauses = Annotated[
    Path | None, typer.Option(help="Table of marked clauses of the texts, to learn how much a clause counts.")
]
Later = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL=LOG-ODDS",
        autocompletion=_of_label,
        help="How far clauses after the first are known to lean to a label; repeatable.",
    ),
]
Share = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL=SHARE",
        autocompletion=_of_label,
        help="How often a label comes in the texts to be answered, 0 to 1, if not as in the rows; repeatable.",
    ),
]
LineColumn = Annotated[str | None, typer.Option(help="Service-line column, if there is one.")]
WeightColumn = Annotated[str | None, typer.Option(help="Column to weight rows by, such as spend or headcount.")]
GroupColumn = Annotated[str | None, typer.Option(help="Also score on unseen groups, such as suppliers.")]
TargetPrecision = Annotated[
    float | None,
    typer.Option(min=0.5, max=0.999, help="Precision that accepted answers must have.", show_default="0.95"),
]
Level = Annotated[float, typer.Option(min=0.5, max=0.999, help="Confidence level of that precision.")]
ModelFile = Annotated[
    Path | None, typer.Option("--model", "-m", help="Model file; default: the model that ships with outsort.")
]
TaxonomyFile = Annotated[
    str | None,
    typer.Option(
        "--taxonomy",
        metavar="CSV|market",
        autocompletion=_starting("market"),
        help="Also sort into categories: a table with the columns line, code, name, note; or market.",
    ),
]
RulesFile = Annotated[
    str | None,
    typer.Option(
        "--rules",
        metavar="FILE|india-10ta",
        help="House rules that decide before the model: a TOML file or a table; or india-10ta.",
    ),
]
Texts = Annotated[
    list[str] | None, typer.Argument(help="Descriptions of work; if none are given, one per line on stdin.")
]
Style = Annotated[
    AnswerFormat | None, typer.Option("--format", "-f", help="Output format; default: table on a terminal, else csv.")
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="HTML", help="Also write the results as a web page.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run on a Dask cluster: tcp://HOST:PORT of its scheduler, or local:N for N workers here.",
    ),
]
FORMATS, WRITTEN = "|".join(formats.FORMATS), "|".join(formats.WRITTEN)
TextColumns = Annotated[
    list[str] | None,
    typer.Option(
        help="Text column: name, number or letter; 'a|b' for b where a is blank; repeat it to join several. Found by "
        "heading and cells."
    ),
]
ReadAs = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar=FORMATS,
        autocompletion=_starting(*formats.FORMATS),
        help="Input format; default: by file name.",
    ),
]
WriteAs = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar=WRITTEN,
        autocompletion=_starting(*formats.WRITTEN),
        help="Output format; default: by file name.",
    ),
]
SafeForExcel = Annotated[
    bool,
    typer.Option(
        "--safe-for-excel", help="In CSV and TSV, put an apostrophe before cells that spreadsheets take for formulas."
    ),
]


def _known_encoding(name: str | None) -> str | None:
    from outsort.encodings import is_encoding

    if name is not None and not is_encoding(name):
        raise typer.BadParameter(f"there is no encoding {name!r}: name one such as utf-8 or cp1252")
    return name


def _delimiter_meant(given: str | None) -> str | None:
    delimiter = "\t" if given in ("tab", "\\t") else given
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0'):
        raise typer.BadParameter(f"{given!r} cannot be a delimiter: name one character, such as ; or tab")
    return delimiter


def _text(given: str | None) -> str | None:
    # A shell hands over any bytes, which no output could hold.
    try:
        (given or "").encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("is not valid UTF-8") from None
    return given


Prefix = Annotated[str | None, typer.Option(callback=_text, help="Prefix for added columns.")]
Reviewer = Annotated[str, typer.Option(callback=_text, help="Reviewer, where a queue does not name one.")]
Encoding = Annotated[
    str | None,
    typer.Option(
        callback=_known_encoding,
        autocompletion=_starting("utf-8", "utf-16", "cp1252", "latin-1"),
        help="Encoding of CSV input; detected by default.",
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(callback=_delimiter_meant, help="Delimiter of CSV input: one character, or tab; detected by default."),
]
Sheet = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|N|all",
        autocompletion=_starting("all"),
        help="Sheet of a workbook, or all with an added column; default: the first with a table with texts.",
    ),
]
HeaderRow = Annotated[
    int | None,
    typer.Option(min=1, help="Row with the names of the columns, as a spreadsheet shows it; found by default."),
]
NoHeader = Annotated[bool, typer.Option("--no-header", help="The first row is data; columns are then named A, B, C.")]


class Gate(StrEnum):
    """What a new model must pass."""

    NO_WORSE = "no-worse"


class OnError(StrEnum):
    """What to do with a row that cannot be read."""

    STOP = "stop"
    KEEP = "keep"


def check_header(header_row: int | None, *, no_header: bool) -> None:
    """Refuse a header row that is named and said not to be there."""
    if no_header and header_row is not None:
        raise typer.BadParameter("cannot be combined with --no-header", param_hint="--header-row")


def reading_of(
    encoding: str | None, delimiter: str | None, sheet: str | None, header_row: int | None, *, no_header: bool = False
) -> ReadOptions:
    """Return how to read a table, from the options that every command has for it."""
    from outsort.tables.base import ReadOptions

    check_header(header_row, no_header=no_header)
    return ReadOptions(
        encoding=encoding, delimiter=delimiter, sheet=sheet, header_row=header_row, has_header=not no_header
    )


def refuse_any(options: Mapping[str, object], why: str) -> None:
    """Refuse the first of these options that was given."""
    for option, given in options.items():
        if given:
            raise typer.BadParameter(why, param_hint=option)


def work_on(cluster: str | None) -> AbstractContextManager[None]:
    """Return a context in which work runs on a Dask cluster; without an address it runs here."""
    if not cluster:
        return nullcontext()
    from outsort.scoring.cluster import parallel_on

    silence_logs()
    return parallel_on(cluster)


def silence_logs() -> None:
    """Keep what Dask logs of a failure, at length, from the one message that says it."""
    import logging

    logging.disable(logging.CRITICAL)


def texts_asked(given: list[str] | None) -> list[str]:
    """Return the texts given as arguments, or else the lines of standard input."""
    if not given and sys.stdin.isatty():
        raise typer.BadParameter("give a text, or pipe texts to stdin, one per line", param_hint="TEXTS")
    return given or _lines_of_stdin()


def rules_for_texts(file: str, model: Model) -> Rules:
    """Return rules for texts without columns; say which of them cannot fire."""
    from outsort.rules.reading import load

    rules = load(file, model)
    names = list(dict.fromkeys(name for found in rules.by_column.values() for name in found))
    if names:
        shown = ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
        typer.echo(f"{rules.source}: rules on columns do not fire on texts alone: {shown}", err=True)
    return rules


def format_chosen(given: AnswerFormat | None) -> AnswerFormat:
    """Return the format asked for, or the one that suits where the output goes."""
    return given or (AnswerFormat.TABLE if sys.stdout.isatty() else AnswerFormat.CSV)


def _lines_of_stdin() -> list[str]:
    from outsort.encodings import decode

    with raised_as(DataError, "standard input: cannot be read", "Pass texts, or send some.", OSError):
        raw = sys.stdin.buffer.read()
    text, found = decode(raw, "standard input")
    _tell_encoding("standard input", found.encoding.removesuffix("-sig"))
    lines = text.split("\n")
    # What follows the last line break is a line only if there is something there.
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def write_json(values: Mapping[str, object]) -> None:
    """Write plain values to stdout as JSON."""
    import json

    typer.echo(json.dumps(values, ensure_ascii=False, indent=2))


def write_result(result: Result, tables: Iterable[RenderableType], *, as_json: bool) -> None:
    """Write a result to stdout, as JSON or as tables."""
    from outsort.reporting.layout import write_tables

    if as_json:
        write_json(result.to_dict())
    else:
        write_tables(sys.stdout, tables)


def check_report(path: Path, *, force: bool) -> None:
    """Refuse a report that cannot be written, before the work begins."""
    from outsort.reporting.page import check

    check(path, force=force)


def by_label(given: list[str] | None, labels: Collection[str], option: str) -> dict[str, float]:
    """Return the values of a repeatable option LABEL=NUMBER by label, one of those of the rows or of a model."""
    result = {}
    for item in given or ():
        label, _, figure = item.rpartition("=")
        if label not in labels:
            meant = did_you_mean(label, labels)
            raise typer.BadParameter(f"there is no label {label!r}.{meant}", param_hint=option)
        try:
            result[label] = float(figure)
        except ValueError:
            raise typer.BadParameter(f"{figure!r} is not a number.", param_hint=option) from None
    return result


def shares_of(given: list[str] | None, labels: Collection[str]) -> dict[str, float]:
    """Return the values of --share by label."""
    shares = by_label(given, labels, "--share")
    if sum(shares.values()) >= 1 or min(shares.values(), default=1) <= 0 or shares.keys() >= set(labels):
        problem = "shares are above 0 and together under 1, and one label has none."
        raise typer.BadParameter(problem, param_hint="--share")
    return shares


def tell_plain(reading: str) -> None:
    """Say on stderr what was read, where nothing was guessed: a guess has come as a warning."""
    if getattr(reading, "is_plain", False):
        note(reading)


def tell_reading(dataset: Dataset) -> None:
    """Say on stderr what was read, and what was left out; what was guessed has been told of."""
    tell_plain(dataset.reading)
    for label, one in dataset.merged.items():
        note(f"{dataset.source}: label {label!r} is taken for {one!r}")
    if dataset.unclear:
        note(f"{dataset.source}: {counted(len(dataset.unclear), 'row')} labelled {UNCLEAR}, to be unsure of")
    if dataset.n_repeats:
        note(f"{dataset.source}: {counted(dataset.n_repeats, 'duplicate row')} dropped")


def tell_seen(dataset: Dataset, model: str, share: float) -> None:
    """Warn that a model is scored on rows it was trained on."""
    if share:
        typer.echo(
            f"{dataset.source}: WARNING: {model} was trained on {share:.0%} of these texts, so its scores "
            "are too good. Measure it on texts it has not seen.",
            err=True,
        )


def _tell_encoding(source: str, encoding: str) -> None:
    if encoding != "utf-8":
        note(f"{source}: read as {encoding}")
