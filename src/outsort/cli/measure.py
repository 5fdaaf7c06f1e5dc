"""Commands that measure: evaluate, compare, check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from outsort.cli.options import (
    Cluster,
    Data,
    Gate,
    Json,
    LabelColumn,
    LineColumn,
    ModelFile,
    ReportFile,
    TextColumn,
    WeightColumn,
    check_report,
    tell_reading,
    tell_seen,
    work_on,
    write_json,
)


def evaluate(
    data: Data,
    model: ModelFile = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Score each value of a column separately; repeatable."),
    ] = None,
    weight_column: WeightColumn = None,
    as_json: Json = False,
    mistakes: Annotated[int, typer.Option(min=0, help="Worst mistakes to list.")] = 10,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    report: ReportFile = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the report if it exists.")] = False,
    cluster: Cluster = None,
) -> None:
    """Score a model on labelled descriptions.

    Scores are of BPO against KPO. Rows labelled NEITHER or UNCLEAR count in NEITHER AUC, and as wrong if they
    are accepted.
    """
    from outsort.data.dataset import read
    from outsort.evaluation import evaluate
    from outsort.model_file import load
    from outsort.reporting.terminal import evaluation_tables, write_tables

    if report:
        check_report(report, force=force)
    dataset = read(data, text_column=text_column, label_column=label_column, for_training=False)
    tell_reading(dataset)
    judge = load(model)
    with work_on(cluster):
        answers = evaluate.answer(judge, dataset, by=by or (), weight_column=weight_column)
    result = evaluate.evaluate_answers(judge, answers, n_mistakes=mistakes)
    tell_seen(dataset, "the model", result.share_seen)
    if as_json:
        write_json(result.to_dict())
    else:
        write_tables(sys.stdout, evaluation_tables(result))
    if report:
        from outsort.reporting.report import of_evaluation, write

        write(of_evaluation(judge, dataset, answers, result), report, force=force)


def compare(
    old: Annotated[Path, typer.Argument(help="Model file: the current model.")],
    new: Annotated[Path, typer.Argument(help="Model file: the candidate.")],
    data: Data,
    gate: Annotated[Gate | None, typer.Option(help="Exit with 3 if the new model is worse.")] = None,
    weight_column: WeightColumn = None,
    as_json: Json = False,
    flips: Annotated[int, typer.Option(min=0, help="Changed predictions to list.")] = 10,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
) -> None:
    """Compare a new model with an old one on the same labelled descriptions.

    With --gate no-worse it exits with 3 when the new model is significantly worse: by the exact McNemar test
    at 5%, or because the whole interval of the difference lies below 0.
    """
    from outsort.data.dataset import read
    from outsort.evaluation import compare
    from outsort.model_file import load
    from outsort.reporting.terminal import comparison_tables, write_tables

    before, after = load(old), load(new)
    dataset = read(data, text_column=text_column, label_column=label_column, for_training=False)
    tell_reading(dataset)
    if before.knows_neither != after.knows_neither:
        path = old if before.knows_neither else new
        typer.echo(f"only {path} knows NEITHER: the other model accepts such rows like any other", err=True)
    result = compare.compare(before, after, dataset, weight_column=weight_column, n_flips=flips)
    for path, share in zip((old, new), result.share_seen.values(), strict=True):
        tell_seen(dataset, str(path), share)
    if as_json:
        write_json(result.to_dict())
    else:
        write_tables(sys.stdout, comparison_tables(result))
    if gate and result.worse:
        typer.echo(f"outsort: {new} is worse than {old}", err=True)
        raise typer.Exit(3)


def check(
    data: Annotated[Path, typer.Argument(help="Table of texts, with or without labels.")],
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    line_column: LineColumn = None,
    min_rows: Annotated[
        int, typer.Option(min=0, help="Rows that each service line or label should have.")
    ] = 20,
    max_style: Annotated[
        float, typer.Option(min=0.5, max=1, help="Limit of style leakage: accuracy from style alone.")
    ] = 0.58,
    similarity: Annotated[
        float, typer.Option(min=0.2, max=1, help="Jaccard similarity of near duplicates.")
    ] = 0.6,
    show: Annotated[int, typer.Option(min=0, help="Examples of each problem to list.")] = 5,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a check fails.")] = False,
    as_json: Json = False,
) -> None:
    """Check labelled descriptions for problems that make them poor training data.

    Duplicates, near duplicates, conflicting and probably wrong labels, style leakage, small service lines.
    """
    from outsort.improving.check import check as check_data
    from outsort.improving.findings import Limits
    from outsort.reporting.terminal import check_tables, write_tables

    limits = Limits(near_duplicate=similarity, style=max_style, min_rows=min_rows)
    result = check_data(
        data,
        text_column=text_column,
        label_column=label_column,
        line_column=line_column,
        limits=limits,
    )
    if as_json:
        write_json(result.to_dict())
    else:
        write_tables(sys.stdout, check_tables(result, show))
    for what in result.left_out:
        typer.echo(f"skipped: {what}", err=True)
    if strict and result.failed:
        typer.echo(f"outsort: {result.source}: over the limit: {', '.join(result.failed)}", err=True)
        raise typer.Exit(3)
