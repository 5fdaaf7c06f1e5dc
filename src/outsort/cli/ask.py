"""Commands that answer: predict, explain, score."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outsort.cli import options as opt
from outsort.cli.command import described, is_quiet, note
from outsort.errors import DataError, Unlike, counted

if TYPE_CHECKING:
    from outsort.scoring.summary import SummaryTally


@described(
    "Answer",
    "Classify texts, with a probability and the terms behind it.",
    example='outsort predict "Key 300 supplier invoices a day into SAP"',
)
def predict(
    texts: opt.Texts = None,
    model: opt.ModelFile = None,
    style: opt.Style = None,
    taxonomy: opt.TaxonomyFile = None,
    rules: opt.RulesFile = None,
    terms: Annotated[int, typer.Option(min=0, help="Number of terms to show for and against.")] = 3,
) -> None:
    from outsort.model_file import load
    from outsort.prediction import predictions
    from outsort.reporting.answers import write_predictions

    asked, judge = opt.texts_asked(texts), load(model)
    own = opt.rules_for_texts(rules, judge) if rules else None
    if taxonomy:
        from outsort import taxonomy as taxonomies

        answers = taxonomies.predictions(asked, judge, taxonomies.load(taxonomy, judge), n_terms=terms, rules=own)
    else:
        answers = predictions(asked, judge, n_terms=terms, rules=own)
    write_predictions(answers, sys.stdout, opt.format_chosen(style))


@described(
    "Answer",
    """Show how much each word added to an answer, and the most similar labelled texts.

    The words, the bias and the rest (several likely service lines, calibration) add up to the log-odds of the
    label against all others. Longer texts are read clause by clause, each counting for its share.

    With --rules the rule that decided is named; the words are those of the model's own answer.
    """,
    example='outsort explain "Draft the audit report. Key the receipts into Xero"',
)
def explain(
    texts: opt.Texts = None,
    model: opt.ModelFile = None,
    style: opt.Style = None,
    rules: opt.RulesFile = None,
    data: Annotated[
        Path | None, typer.Option(help="Table of labelled texts; shows those most similar to each text.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Number of similar texts to show.")] = 3,
    lines: Annotated[int, typer.Option(min=0, help="Number of service lines to show.")] = 3,
) -> None:
    from outsort import explanation
    from outsort.model_file import load
    from outsort.prediction import predict_explained
    from outsort.reporting.answers import write_explanations

    asked = opt.texts_asked(texts)
    judge = load(model)
    own = opt.rules_for_texts(rules, judge) if rules else None
    labelled = None
    if data:
        from outsort.data.dataset import read

        labelled = read(data)
        opt.tell_reading(labelled)
        if labelled.fingerprint != judge.about.get("data", {}).get("sha256"):
            note(f"{data}: is not the data the model was trained on")
    results = (
        (
            *predict_explained(judge, text, rules=own),
            explanation.find_precedents(judge, text, labelled, examples) if labelled else [],
        )
        for text in asked
    )
    write_explanations(results, sys.stdout, opt.format_chosen(style), n_lines=lines)


@described(
    "Answer",
    """Classify every row of one or more tables (CSV, TSV, JSON, JSON Lines, Parquet, workbooks), or documents.

    All columns are kept as they are. The columns label, probability, one p_LABEL for each label, service_line,
    decision, reason, one share_LABEL, share_margin and model are appended. Several inputs become one table with the
    column source, or, where the output is a folder (one that exists, or a name that ends in /), one output each.

    A document (PDF, Word, HTML, Markdown, plain text) is one row. With --split there is a row for each clause of it, or
    of each text of a table, with a weight, 0 for boilerplate; --weight-column is then divided among the clauses.

    A summary by label, decision and service line is shown on a terminal, and wherever --weight-column or --by asks for
    it; --report writes it as a web page, which with --split shows the text of documents, coloured by answer. A line at
    the end says where a table is unlike the texts that the promise for accepted answers was measured on.
    """,
    example="outsort score spend.xlsx -o scored.xlsx\n"
    "outsort score spend.csv -o scored.csv --weight-column spend --by supplier",
)
def score(
    inputs: Annotated[list[str], typer.Argument(help="Tables or documents to score: files, patterns, or - for stdin.")],
    output: Annotated[str, typer.Option("--output", "-o", help="File to write, - for stdout, or a folder.")],
    model: opt.ModelFile = None,
    text_column: opt.TextColumns = None,
    taxonomy: opt.TaxonomyFile = None,
    rules: opt.RulesFile = None,
    prefix: opt.Prefix = None,
    read_as: opt.ReadAs = None,
    write_as: opt.WriteAs = None,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    explain: Annotated[bool, typer.Option("--explain", help="Add columns with the terms for and against.")] = False,
    on_error: Annotated[
        opt.OnError, typer.Option(help="For rows that cannot be read: stop, or keep them with the reason.")
    ] = opt.OnError.STOP,
    safe_for_excel: opt.SafeForExcel = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Of a workbook, write a new one with the values alone, not a copy.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Read only the first N rows of each input.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Number of threads; default: one per core.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing outputs.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip outputs in a folder that are already complete.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if a table is unlike what the promise was measured on.")
    ] = False,
    split: Annotated[
        bool, typer.Option("--split", help="One row for each clause, with a weight: 0 for boilerplate.")
    ] = False,
    weight_column: opt.WeightColumn = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Also sum up by the values of a column, such as suppliers.")
    ] = None,
    report: opt.ReportFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
    cluster: opt.Cluster = None,
) -> None:
    from outsort.model_file import load
    from outsort.reporting.progress import rows_line
    from outsort.rules.reading import load as load_rules
    from outsort.scoring import files, folder
    from outsort.scoring.documents import DocumentsTally
    from outsort.scoring.summary import SummaryTally
    from outsort.taxonomy import load as load_taxonomy

    opt.check_header(header_row, no_header=no_header)
    loaded = load(model)
    options = files.Options(
        text_columns=tuple(text_column or ()),
        prefix=prefix,
        explain=explain,
        taxonomy=load_taxonomy(taxonomy, loaded) if taxonomy else None,
        rules=load_rules(rules, loaded) if rules else None,
        keep=on_error is opt.OnError.KEEP,
        limit=limit,
        workers=workers,
        read_as=read_as,
        write_as=write_as,
        encoding=encoding,
        delimiter=delimiter,
        sheet=sheet,
        header_row=header_row,
        has_header=not no_header,
        safe_for_excel=safe_for_excel,
        plain=plain,
        split=split,
        weight_column=weight_column if split else None,
    )
    into_folder = Path(output).is_dir() or output.endswith(("/", os.sep))
    if not into_folder:
        opt.refuse_any({"--resume": resume, "--cluster": cluster}, "needs an output folder, such as scored/")
    if cluster:
        opt.refuse_any({"--workers": workers}, "cannot be combined with --cluster; use --cluster local:N")
        opt.refuse_any({"--split": split}, "cannot be combined with --cluster")
        of_summary = {"--weight-column": weight_column, "--by": by, "--report": report, "--json": as_json}
        opt.refuse_any(of_summary, "cannot be combined with --cluster")
    opt.refuse_any({"--json": as_json and output == "-"}, "cannot be combined with -o -: the table is on stdout")
    if report:
        opt.check_report(report, force=force)
    documents = DocumentsTally(loaded) if split and report else None
    summary = SummaryTally(loaded, weight_column=weight_column, by=by, documents=documents)
    unlike = []

    def tell(message: str) -> None:
        if isinstance(message, Unlike):
            typer.echo(message, err=True)
            unlike.append(message)
        else:
            note(message)

    with rows_line(quiet=is_quiet()) as progress:
        if cluster:
            from outsort.scoring.cluster import score_files

            opt.silence_logs()
            counts = score_files(
                inputs,
                Path(output),
                loaded,
                cluster=cluster,
                options=options,
                force=force,
                resume=resume,
                progress=progress,
                tell=tell,
            )
        elif into_folder:
            counts = folder.score_files(
                inputs,
                Path(output),
                loaded,
                options=options,
                force=force,
                resume=resume,
                progress=progress,
                tell=tell,
                summary=summary,
            )
        else:
            n_rows = files.score_file(
                _sources(inputs, output, write_as),
                output,
                loaded,
                options=options,
                force=force,
                progress=progress,
                tell=tell,
                summary=summary,
            )
            counts = {output: n_rows}
    for name, n_rows in counts.items():
        note(f"{'stdout' if name == '-' else name}: {counted(n_rows, 'row')}")
    # What reads stderr through a pipe expects messages, unless a summary is asked for.
    is_shown = not (cluster or as_json) and bool((sys.stderr.isatty() and not is_quiet()) or weight_column or by)
    _show_summary(summary, report, as_json=as_json, as_tables=is_shown, resumed=resume, force=force)
    if strict and unlike:
        raise typer.Exit(3)


def _sources(inputs: list[str], output: str, write_as: str | None) -> str | list[str]:
    """Return the one file to read, or the files of a list or a pattern, which become one table."""
    from outsort.scoring import folder
    from outsort.tables.formats import format_of

    sources = folder.expand(inputs)
    if len(sources) == 1 and not folder.is_pattern(inputs[0]):
        return sources[0]
    try:
        if output != "-":
            format_of(output, write_as)
    except DataError as error:
        raise DataError(f"{error} For one output each, name a folder: {output}/") from None
    return sources


def _show_summary(
    tally: SummaryTally, report: Path | None, *, as_json: bool, as_tables: bool, resumed: bool, force: bool
) -> None:
    """Show what was scored: on stderr, because stdout may have the rows; as a page; as JSON on stdout."""
    if resumed and (as_json or as_tables or report):
        note("summary: of the outputs written now, without those that were complete before")
    if as_tables:
        from outsort.reporting.layout import write_tables
        from outsort.reporting.terminal import summary_tables

        write_tables(sys.stderr, summary_tables(tally.result()))
    if report:
        from outsort.reporting.summary import write

        documents = tally.documents.result() if tally.documents else []
        write(tally.result(), report, force=force, documents=documents, model=tally.model)
        note(f"{report}: report written")
    if as_json:
        opt.write_json(tally.result().to_dict())
