"""Commands that train: train, retrain, plan."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from outsort.cli import options as opt
from outsort.cli.command import described, note, steps


@described(
    "Train",
    "Train a model on labelled descriptions and score it by cross-validation.",
    example="outsort train tasks.csv -o mine.joblib",
)
def train(
    data: opt.Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write.")],
    text_column: opt.TextColumn = None,
    label_column: opt.LabelColumn = None,
    label_map: opt.LabelMap = None,
    line_column: opt.LineColumn = None,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    out_of_scope: opt.OutOfScope = None,
    clauses: opt.Clauses = None,
    later: opt.Later = None,
    share: opt.Share = None,
    folds: Annotated[int, typer.Option(min=0, help="Folds of cross-validation; 0 for none.")] = 5,
    target_precision: opt.TargetPrecision = None,
    level: opt.Level = 0.9,
    group_column: opt.GroupColumn = None,
    time_column: Annotated[
        str | None, typer.Option(help="Column of dates: also score rows later than the training rows.")
    ] = None,
    weight_column: opt.WeightColumn = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    report: opt.ReportFile = None,
    as_json: opt.Json = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the outputs if they exist.")] = False,
    cluster: opt.Cluster = None,
) -> None:
    if folds == 1:
        raise typer.BadParameter("choose 2 folds or more, or 0 for none", param_hint="--folds")
    needing = {
        "--report": report,
        "--target-precision": target_precision,
        "--group-column": group_column,
        "--time-column": time_column,
        "--share": share,
    }
    if not folds:
        opt.refuse_any(needing, "needs cross-validation: choose 2 folds or more")
    if report and report.resolve() == output.resolve():
        raise typer.BadParameter("is the model file: choose another name", param_hint="--report")
    how = opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header)
    from outsort.data.dataset import read
    from outsort.files import check_output
    from outsort.model_file import save
    from outsort.reporting.layout import write_tables
    from outsort.reporting.terminal import training_lines, written_lines
    from outsort.training.about import summarize
    from outsort.training.fitting import Settings
    from outsort.training.folds import Checks
    from outsort.training.train import train_validated

    check_output(output, force=force)
    if report:
        opt.check_report(report, force=force)
    dataset = read(
        data,
        text_column=text_column,
        label_column=label_column,
        label_map=label_map,
        line_column=line_column,
        out_of_scope=out_of_scope,
        clauses=clauses,
        reading=how,
    )
    opt.tell_reading(dataset)
    start = time.perf_counter()
    checks = Checks(
        folds=folds,
        target_precision=target_precision or Checks.target_precision,
        level=level,
        group_column=group_column,
        time_column=time_column,
        weight_column=weight_column,
        shares=opt.shares_of(share, dataset.labels),
    )
    settings = Settings(seed=seed, later=opt.by_label(later, dataset.labels, "--later"))
    with opt.work_on(cluster), steps():
        model, validation = train_validated(dataset, settings, checks)
    seconds = time.perf_counter() - start
    size = save(model, output, force=force)
    summary = summarize(model)
    if report and validation:
        from outsort.reporting.report import of_training, write

        by = [name for name in (group_column, time_column) if name]
        write(of_training(model, dataset, validation, weight_column, by), report, force=force)
        note(f"{report}: report written")
    if as_json:
        written = {"output": str(output), "bytes": size, "seconds": round(seconds, 3)}
        opt.write_json(written | summary.to_dict())
    else:
        lines = training_lines(summary, dataset)
        write_tables(sys.stdout, [*lines, *written_lines(str(output), size, summary, f", in {seconds:.1f} s")])
    if target_precision and summary.decision and not summary.decision.coverage:
        raise typer.Exit(3)


@described(
    "Train",
    """Train a model to replace another, and compare the two on rows that the other never saw.

    On new rows, the old model is compared with models trained without those rows; on unseen service lines and
    groups, models of all rows with models of the old model's rows. The new model promises the precision that
    the old one does.
    """,
    example="outsort retrain tasks.csv --base mine.joblib -o better.joblib --gate no-worse",
)
def retrain(
    data: opt.Data,
    base: Annotated[Path, typer.Option(help="Model file: the current model.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write.")],
    gate: Annotated[
        opt.Gate | None, typer.Option(help="Write nothing and exit with 3 if the new model is worse.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Table of labelled texts, not trained on: also compare on these.")
    ] = None,
    text_column: opt.TextColumn = None,
    label_column: opt.LabelColumn = None,
    label_map: opt.LabelMap = None,
    line_column: opt.LineColumn = None,
    out_of_scope: opt.OutOfScope = None,
    clauses: opt.Clauses = None,
    later: opt.Later = None,
    share: opt.Share = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of cross-validation.")] = 5,
    group_column: opt.GroupColumn = None,
    weight_column: opt.WeightColumn = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    as_json: opt.Json = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the output if it exists.")] = False,
) -> None:
    from outsort.data.dataset import read
    from outsort.files import check_output
    from outsort.improving.retrain import promised
    from outsort.improving.retrain import retrain as train_again
    from outsort.model_file import load, save
    from outsort.reporting.comparison import retraining_lines
    from outsort.reporting.layout import write_tables
    from outsort.reporting.terminal import written_lines
    from outsort.training.about import summarize
    from outsort.training.fitting import Settings

    check_output(output, force=force)
    old = load(base)
    dataset = read(
        data,
        text_column=text_column,
        label_column=label_column,
        label_map=label_map,
        line_column=line_column,
        out_of_scope=old.out_of_scope if out_of_scope is None else out_of_scope,
        clauses=clauses,
        reading=opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header),
    )
    opt.tell_reading(dataset)
    measure = None
    if test:
        measure = read(
            test,
            text_column=text_column,
            label_column=label_column,
            label_map=label_map,
            known_labels=old.labels,
            for_training=False,
        )
    with steps():
        model, result = train_again(
            dataset,
            old,
            settings=Settings(seed=seed, later=opt.by_label(later, dataset.labels, "--later")),
            checks=replace(
                promised(old),
                folds=folds,
                group_column=group_column,
                weight_column=weight_column,
                shares=opt.shares_of(share, dataset.labels),
            ),
            test=measure,
        )
    if result.on_test and measure:
        for path, seen in zip((base, output), result.on_test.share_seen.values(), strict=True):
            opt.tell_seen(measure, str(path), seen)
    refused = gate and (result.worse or not result.judged)
    size = 0 if refused else save(model, output, force=force)
    if as_json:
        written = {"output": None if refused else str(output), "bytes": size}
        opt.write_json(written | summarize(model).to_dict() | {"comparison": result.to_dict()})
    else:
        summary = summarize(model)
        lines = retraining_lines(summary, result, str(base), str(test), len(dataset.texts))
        write_tables(sys.stdout, [*lines, *([] if refused else written_lines(str(output), size, summary))])
    if refused:
        why = "the new model is worse" if result.worse else "no new rows and no --test to compare on"
        typer.echo(f"outsort: {output}: not written: {why}", err=True)
        raise typer.Exit(3)


@described(
    "Train",
    """Plan how many more labels to make, and for which service lines.

    A learning curve over growing shares of the rows forecasts accuracy; labels go where they prevent most
    mistakes. An answer is right when the most probable label is that of the row.
    """,
    example="outsort plan tasks.csv -n 500",
)
def plan(
    data: opt.Data,
    n: Annotated[int | None, typer.Option("-n", min=1, help="Labels to make; by default, those worth making.")] = None,
    min_gain: Annotated[
        float, typer.Option(min=1e-6, max=1, help="Gain in accuracy that makes 100 more labels worth making.")
    ] = 0.001,
    text_column: opt.TextColumn = None,
    label_column: opt.LabelColumn = None,
    label_map: opt.LabelMap = None,
    line_column: opt.LineColumn = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of cross-validation.")] = 5,
    weight_column: opt.WeightColumn = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    lines: Annotated[int, typer.Option(min=0, help="Service lines to list.")] = 10,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    as_json: opt.Json = False,
) -> None:
    from outsort.data.dataset import read
    from outsort.improving import plan
    from outsort.reporting.terminal import plan_tables
    from outsort.training.fitting import Settings

    dataset = read(
        data,
        text_column=text_column,
        label_column=label_column,
        label_map=label_map,
        line_column=line_column,
        reading=opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header),
    )
    opt.tell_reading(dataset)
    with steps():
        result = plan.plan(
            dataset,
            min_gain=min_gain,
            n_labels=n,
            settings=Settings(seed=seed),
            n_folds=folds,
            weight_column=weight_column,
        )
    opt.write_result(result, plan_tables(result, lines), as_json=as_json)
