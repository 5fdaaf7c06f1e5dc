"""Commands that bring a person's corrections in: review, merge."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from outsort.cli import options as opt
from outsort.cli.command import described, note, steps
from outsort.errors import counted
from outsort.improving.strategy import Strategy

#: Rows whose service line was filled in that are named.
_MAX_NAMED = 5


@described(
    "Review",
    """Choose the texts whose labels would teach the model most, and write them for a person to label.

    mixed: terms common among uncertain texts and rare in the training data; uncertain: least certain of the
    label; weight: uncertain and heavy; novel: words the model does not know; random. `outsort merge` reads
    the labels back.

    With --double 50 the texts are split between two reviewers, who both label 50 of them, so that `outsort merge` can
    measure how far they agree: -o queue.xlsx writes queue-1.xlsx and queue-2.xlsx.
    """,
    example="outsort review scored.csv -o queue.xlsx -n 100",
)
def review(
    scored: Annotated[Path, typer.Argument(help="Table of texts, such as `outsort score` writes.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Queue to write: .xlsx or .csv.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Number of texts to choose.")] = 200,
    strategy: Annotated[Strategy, typer.Option(help="How to choose texts.")] = Strategy.MIXED,
    double: Annotated[
        int | None, typer.Option(min=1, help="Write a queue for each of two reviewers, with this many texts in both.")
    ] = None,
    model: opt.ModelFile = None,
    text_column: opt.TextColumns = None,
    weight_column: opt.WeightColumn = None,
    read_as: opt.ReadAs = None,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    safe_for_excel: opt.SafeForExcel = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the queue if it exists.")] = False,
) -> None:
    from outsort.improving.review import review as choose_texts
    from outsort.model_file import load

    if strategy is Strategy.WEIGHT and weight_column is None:
        raise typer.BadParameter("needs --weight-column", param_hint="--strategy weight")
    with steps():
        result = choose_texts(
            scored,
            output,
            n,
            load(model),
            strategy=strategy,
            double=double or 0,
            text_columns=text_column or (),
            weight_column=weight_column,
            options=replace(
                opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header), read_as=read_as
            ),
            safe_for_excel=safe_for_excel,
            seed=seed,
            force=force,
        )
    opt.tell_plain(result.reading)
    if result.n_seen:
        note(f"{scored}: {result.n_seen:,} texts skipped: the model was trained on them")
    queues = " and ".join(map(str, result.queues))
    if result.n_too_long:
        typer.echo(f"{queues}: {result.n_too_long:,} texts skipped: too long for a workbook cell", err=True)
    both = f", {result.n_double:,} of them by both reviewers" if double else ""
    for queue, n_texts in result.queues.items() if double else ():
        note(f"{queue}: {n_texts:,} texts to review")
    note(f"{queues}: {result.n_chosen:,} of {result.n_texts:,} texts to review{both}")


@described(
    "Review",
    """Merge reviewers' labels into labelled data; rows are matched by key.

    Labels that conflict or cannot be trusted are listed and skipped, with exit code 3. Fix them and merge
    again: nothing is added twice.

    Where two reviewers labelled the same texts, as with `outsort review --double`, it also reports how far they agree.
    """,
    example="outsort merge queue.xlsx --into tasks.csv",
)
def merge(
    queues: Annotated[list[Path], typer.Argument(help="Queues with labels filled in.")],
    into: Annotated[Path, typer.Option(help="Table of labelled texts; created if missing.")],
    reviewer: opt.Reviewer = "",
    model: opt.ModelFile = None,
    text_column: opt.TextColumn = None,
    label_column: opt.LabelColumn = None,
    label_map: opt.LabelMap = None,
    line_column: opt.LineColumn = None,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
) -> None:
    from outsort.improving.merge import merge as bring_in
    from outsort.model_file import load
    from outsort.reporting.agreement import agreement_tables
    from outsort.reporting.layout import write_tables

    result = bring_in(
        queues,
        into,
        load(model),
        reviewer=reviewer,
        text_column=text_column,
        label_column=label_column,
        label_map=label_map,
        line_column=line_column,
        reading=opt.reading_of(encoding, delimiter, sheet, header_row),
    )
    # A mistyped name would pass for the data.
    new = " (new file)" if result.is_new else ""
    typer.echo(
        f"{into}{new}: {counted(result.added, 'row')} added, {counted(result.filled, 'label')} filled in, "
        f"{result.known:,} already there; {result.undecided:,} without a label"
    )
    if result.labels:
        write_tables(sys.stdout, agreement_tables(result.labels, result.lines))
    if result.lines_filled:
        n = len(result.lines_filled)
        what = f"{counted(n, 'service line')} left blank {'was' if n == 1 else 'were'}"
        more = f" and {n - _MAX_NAMED:,} more" if n > _MAX_NAMED else ""
        note(f"{into}: {what} filled in by the model: {'; '.join(result.lines_filled[:_MAX_NAMED])}{more}")
    for problem in result.problems:
        typer.echo(problem, err=True)
    if result.problems:
        typer.echo(f"outsort: {counted(len(result.problems), 'label')} not merged", err=True)
        raise typer.Exit(3)
