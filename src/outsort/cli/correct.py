"""Commands that bring a person's corrections in: review, merge."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outsort.cli.options import (
    By,
    Encoding,
    LabelColumn,
    LineColumn,
    ModelFile,
    ReadAs,
    Sheet,
    TextColumn,
    TextColumns,
    WeightColumn,
)


def review(
    scored: Annotated[Path, typer.Argument(help="Table of texts, such as `outsort score` writes.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Queue to write: .xlsx or .csv.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Texts to choose.")] = 200,
    by: Annotated[By, typer.Option(help="What to look for.")] = By.MIXED,
    model: ModelFile = None,
    text_column: TextColumns = None,
    weight_column: WeightColumn = None,
    read_as: ReadAs = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is drawn.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the queue if it exists.")] = False,
) -> None:
    """Choose the texts of which a person's label would teach the model most.

    mixed: words that stand in many uncertain texts and in few learnt ones; uncertain: near the turn of a
    label; weight: uncertain and weighty; novel: words the model does not know; random. `outsort merge`
    takes the answers in.
    """
    from outsort.improving import choose, queue
    from outsort.model_file import load
    from outsort.scoring.files import Options

    if by is By.WEIGHT and weight_column is None:
        raise typer.BadParameter("needs --weight-column", param_hint="--by weight")
    queue.check_queue(output, force=force)
    judge = load(model)
    options = Options(text_columns=tuple(text_column or ()), read_as=read_as, encoding=encoding, sheet=sheet)
    candidates = queue.read_candidates(scored, judge, options=options, weight_column=weight_column)
    weights = None if weight_column is None else candidates.weights
    chosen = choose.choose(judge, candidates.texts, n, by.value, weights=weights, seed=seed)
    n_long = queue.write_queue(output, judge, candidates, chosen, force=force)
    if candidates.n_seen:
        typer.echo(f"{scored}: {candidates.n_seen:,} texts left out: the model was trained on them", err=True)
    if n_long:
        typer.echo(f"{output}: {n_long:,} texts left out: too long for a workbook's cell", err=True)
    typer.echo(f"{output}: {len(chosen) - n_long:,} of {len(candidates.texts):,} texts to review", err=True)


def merge(
    queues: Annotated[list[Path], typer.Argument(help="Queues with answers: workbooks or CSV files.")],
    into: Annotated[Path, typer.Option(help="CSV file of labelled texts; made when missing.")],
    reviewer: Annotated[str, typer.Option(help="Who decided, where a queue does not say.")] = "",
    model: ModelFile = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    line_column: LineColumn = None,
) -> None:
    """Bring reviewers' answers into labelled data, each row found by its key.

    What cannot be trusted or agreed on is listed and left out, with exit code 3; merging again after it
    was mended brings in the rest.
    """
    from outsort.improving.merge import merge as bring_in
    from outsort.model_file import load

    result = bring_in(
        queues,
        into,
        load(model),
        reviewer=reviewer,
        text_column=text_column,
        label_column=label_column,
        line_column=line_column,
    )
    typer.echo(
        f"{into}: {result.added:,} rows added, {result.filled:,} given their label, "
        f"{result.known:,} there already; {result.undecided:,} undecided"
    )
    if result.lines_filled:
        typer.echo(f"{into}: {result.lines_filled:,} service lines left open are the model's", err=True)
    for problem in result.problems:
        typer.echo(problem, err=True)
    if result.problems:
        typer.echo(f"outsort: {len(result.problems):,} answers not merged", err=True)
        raise typer.Exit(3)
