"""Commands that measure: evaluate, compare, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outsort.cli import options as opt
from outsort.cli.command import described, note, steps
from outsort.errors import counted

if TYPE_CHECKING:
    from outsort.tables.base import ReadOptions


@described(
    "Check",
    """Score a model on labelled descriptions.

    Scores cover all labels that the model knows; "in scope" covers only those in scope, such as BPO against KPO.
    Rows labelled UNCLEAR count as wrong if they are accepted.

    With --taxonomy it scores categories, whose codes or names are in the column category, or in one named after the
    axis, such as level. Categories that no sample has certified are accepted where the model accepts its label.

    With --rules the rules decide first; it also shows how many rows they decided, and how many of those correctly.
    """,
    example="outsort evaluate held-out.csv -m mine.joblib --by supplier",
)
def evaluate(
    data: opt.Data,
    model: opt.ModelFile = None,
    taxonomy: opt.TaxonomyFile = None,
    rules: opt.RulesFile = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Also score each value of a column, or each month of dates; repeatable."),
    ] = None,
    weight_column: opt.WeightColumn = None,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    as_json: opt.Json = False,
    mistakes: Annotated[int, typer.Option(min=0, help="Worst mistakes to list.")] = 10,
    text_column: opt.TextColumn = None,
    label_column: opt.LabelColumn = None,
    label_map: opt.LabelMap = None,
    report: opt.ReportFile = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the report if it exists.")] = False,
    cluster: opt.Cluster = None,
) -> None:
    from outsort.data.dataset import read
    from outsort.evaluation import evaluate
    from outsort.evaluation.categories import read_categories
    from outsort.model_file import load
    from outsort.reporting.terminal import evaluation_tables
    from outsort.rules.reading import load as load_rules
    from outsort.taxonomy import load as load_taxonomy

    how = opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header)
    if report:
        opt.check_report(report, force=force)
        from outsort.reporting.report import of_evaluation, write
    judge = load(model)
    if taxonomy:
        opt.refuse_any({"--rules": rules}, "cannot be combined with --taxonomy")
        columns = {"text_column": text_column, "label_column": label_column, "label_map": label_map}
        parts = read_categories(data, load_taxonomy(taxonomy, judge), **columns, reading=how)
        scored, reports = {}, []
        for part, rows in parts:
            opt.tell_reading(rows)
            with opt.work_on(cluster), steps():
                answers = evaluate.answer(judge, rows, by=by or (), weight_column=weight_column, taxonomy=part)
            scored[part.axes[0].label_column] = evaluate.evaluate_answers(judge, answers, n_mistakes=mistakes)
            found = scored[part.axes[0].label_column]
            opt.tell_seen(rows, "the model", found.share_seen)
            if report:
                reports.append(of_evaluation(judge, rows, answers, found, part.axes[0]))
        if as_json:
            opt.write_json({column: one.to_dict() for column, one in scored.items()})
        else:
            for column, one in scored.items():
                typer.echo(f"{column}:")
                opt.write_result(one, evaluation_tables(one), as_json=False)
        if report:
            write(reports, report, force=force)
            note(f"{report}: report written")
        return
    dataset = read(
        data,
        text_column=text_column,
        label_column=label_column,
        label_map=label_map,
        known_labels=judge.labels,
        for_training=False,
        reading=how,
    )
    opt.tell_reading(dataset)
    own = load_rules(rules, judge) if rules else None
    with opt.work_on(cluster), steps():
        answers = evaluate.answer(judge, dataset, by=by or (), weight_column=weight_column, rules=own)
        result = evaluate.evaluate_answers(judge, answers, n_mistakes=mistakes)
    opt.tell_seen(dataset, "the model", result.share_seen)
    opt.write_result(result, evaluation_tables(result), as_json=as_json)
    if report:
        write(of_evaluation(judge, dataset, answers, result), report, force=force)
        note(f"{report}: report written")


@described(
    "Check",
    """Compare a new model with an old one on the same descriptions.

    Shows which answers move from one label to another, in rows and, with --weight-column, in money; if the descriptions
    are labelled, also which model is better.

    With --gate no-worse it exits with 3 when the new model is significantly worse: by the exact McNemar test
    at 5%, or because the whole interval of the difference lies below 0.
    """,
    example="outsort compare old.joblib new.joblib held-out.csv",
)
def compare(
    old: Annotated[Path, typer.Argument(help="Model file: the current model.")],
    new: Annotated[Path, typer.Argument(help="Model file: the candidate.")],
    data: Annotated[Path, typer.Argument(help="Table of texts, with or without labels.")],
    gate: Annotated[opt.Gate | None, typer.Option(help="Exit with 3 if the new model is worse.")] = None,
    weight_column: opt.WeightColumn = None,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    as_json: opt.Json = False,
    flips: Annotated[int, typer.Option(min=0, help="Changed predictions to list.")] = 10,
    text_column: opt.TextColumn = None,
    label_column: opt.LabelColumn = None,
    label_map: opt.LabelMap = None,
) -> None:
    from outsort.data.dataset import read
    from outsort.evaluation import compare
    from outsort.model_file import load
    from outsort.reporting.comparison import changes_tables, comparison_tables

    before, after = load(old), load(new)
    # Before the data, whose labels one of the two may not know.
    compare.require_same_labels(before.labels, after.labels)
    dataset = read(
        data,
        text_column=text_column,
        label_column=label_column,
        label_map=label_map,
        known_labels=after.labels,
        for_training=False,
        needs_labels=gate is not None,
        reading=opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header),
    )
    opt.tell_reading(dataset)
    if not dataset.is_labelled:
        with steps():
            moved = compare.changes(before, after, dataset, weight_column=weight_column, n_flips=flips)
        opt.write_result(moved, changes_tables(moved), as_json=as_json)
        return
    with steps():
        result = compare.compare(before, after, dataset, weight_column=weight_column, n_flips=flips)
    for path, share in zip((old, new), result.share_seen.values(), strict=True):
        opt.tell_seen(dataset, str(path), share)
    opt.write_result(result, comparison_tables(result), as_json=as_json)
    if gate and result.worse:
        typer.echo(f"outsort: {new} is worse than {old}", err=True)
        raise typer.Exit(3)


@described(
    "Check",
    """Check labelled descriptions for problems that make them poor training data.

    Duplicates, near duplicates, conflicting and probably wrong labels, style leakage, small service lines,
    lopsided words: frequent ones that lean to one label in many service lines.

    A table that `score` wrote is checked for consistency: the same work, in the same or other words, that is
    answered differently, across suppliers with --by supplier; the most money first with --weight-column. To check
    its labels, name them with --label-column.

    With --rules it checks the rules instead, on a table that needs no labels: what each decides, whether the model and
    the labels agree with it, and which rules change nothing. Rules that clash, never fire or are past their date
    are failures for --strict.
    """,
    example="outsort check tasks.csv",
)
def check(
    data: Annotated[Path, typer.Argument(help="Table of texts, with or without labels, or one that `score` wrote.")],
    by: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="In a scored table: compare answers across the values of this column."),
    ] = None,
    rules: opt.RulesFile = None,
    model: opt.ModelFile = None,
    weight_column: opt.WeightColumn = None,
    text_column: opt.TextColumn = None,
    label_column: opt.LabelColumn = None,
    label_map: opt.LabelMap = None,
    line_column: opt.LineColumn = None,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    min_rows: Annotated[int, typer.Option(min=0, help="Minimum rows per service line or label.")] = 20,
    max_style: Annotated[
        float, typer.Option(min=0.5, max=1, help="Maximum accuracy from style alone, of two labels.")
    ] = 0.58,
    similarity: Annotated[
        float | None,
        typer.Option(
            min=0.2,
            max=1,
            help="Jaccard similarity of near duplicates, and of like work in a scored table.",
            show_default="0.6; scored 0.65",
        ),
    ] = None,
    guide: Annotated[Path | None, typer.Option(help="Labelling guide to quote beside lopsided words.")] = None,
    show: Annotated[int, typer.Option(min=0, help="Examples of each problem to list.")] = 5,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a check fails.")] = False,
    as_json: opt.Json = False,
) -> None:
    reading = opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header)
    if rules:
        opt.refuse_any({"--by": by}, "cannot be combined with --rules")
        columns = {"text_column": text_column, "label_column": label_column, "label_map": label_map}
        _check_rules(data, rules, model, weight_column, columns, reading, show=show, strict=strict, as_json=as_json)
        return
    opt.refuse_any({"--model": model}, "needs --rules")
    if not label_column and (by or weight_column or _is_scored(data, reading)):
        labelled_only = {"--guide": guide, "--label-map": label_map, "--line-column": line_column}
        opt.refuse_any(labelled_only, "is for labelled data, not for a table that `score` wrote")
        _check_scored(data, by, weight_column, text_column, similarity, reading, show, strict=strict, as_json=as_json)
        return
    opt.refuse_any({"--by": by, "--weight-column": weight_column}, "cannot be combined with --label-column")
    from outsort.improving.check import check as check_data
    from outsort.improving.findings import Limits
    from outsort.reporting.terminal import check_tables

    limits = Limits(near_duplicate=similarity or Limits.near_duplicate, style=max_style, min_rows=min_rows)
    with steps():
        result = check_data(
            data,
            text_column=text_column,
            label_column=label_column,
            label_map=label_map,
            line_column=line_column,
            guide=guide,
            limits=limits,
            tell=note,
            reading=reading,
        )
    opt.write_result(result, check_tables(result, show), as_json=as_json)
    for what in result.left_out:
        note(f"skipped: {what}")
    if strict and result.failed:
        typer.echo(f"outsort: {result.source}: over the limit: {', '.join(result.failed)}", err=True)
        raise typer.Exit(3)


def _is_scored(data: Path, reading: ReadOptions) -> bool:
    from outsort.improving.consistency import is_scored

    # What comes through a pipe can be read once.
    return data.is_file() and is_scored(data, reading)


def _check_scored(
    data: Path,
    by: str | None,
    weight_column: str | None,
    text_column: str | None,
    similarity: float | None,
    reading: ReadOptions,
    n_shown: int,
    *,
    strict: bool,
    as_json: bool,
) -> None:
    from outsort.improving.consistency import check_consistency
    from outsort.improving.rewordings import LIKE
    from outsort.reporting.consistency import consistency_tables

    result = check_consistency(
        data, by=by, weight_column=weight_column, text_column=text_column, limit=similarity or LIKE, options=reading
    )
    opt.tell_plain(result.reading)
    opt.write_result(result, consistency_tables(result, n_shown), as_json=as_json)
    for what in result.left_out:
        note(f"skipped: {what}")
    if strict and result.findings:
        found = counted(len(result.findings), "finding")
        typer.echo(f"outsort: {data}: like work has different answers: {found}", err=True)
        raise typer.Exit(3)


def _check_rules(
    data: Path,
    rules: str,
    model: Path | None,
    weight_column: str | None,
    columns: dict[str, str | None],
    reading: ReadOptions,
    *,
    show: int,
    strict: bool,
    as_json: bool,
) -> None:
    """Check rules on a table."""
    from outsort.improving.check_rules import check_rules
    from outsort.model_file import load
    from outsort.reporting.rules import rules_tables
    from outsort.rules.reading import load as load_rules

    judge = load(model)
    own = load_rules(rules, judge)
    result = check_rules(data, own, judge, **columns, weight_column=weight_column, reading=reading, tell=note)
    opt.write_result(result, rules_tables(result, show), as_json=as_json)
    if strict and result.failed:
        typer.echo(f"outsort: {own.source}: to look into: {', '.join(result.failed)}", err=True)
        raise typer.Exit(3)
