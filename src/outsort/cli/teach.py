"""Commands that make models: train, retrain, plan, card."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from outsort.cli.options import (
    Cluster,
    Data,
    Gate,
    GroupColumn,
    Json,
    LabelColumn,
    LineColumn,
    ModelFile,
    ReportFile,
    TextColumn,
    WeightColumn,
    check_report,
    refuse_any,
    tell_reading,
    tell_seen,
    work_on,
)


def train(
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write.")],
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    line_column: LineColumn = None,
    folds: Annotated[int, typer.Option(min=0, help="Folds of cross-validation; 0 for none.")] = 5,
    target_precision: Annotated[
        float | None,
        typer.Option(
            min=0.5, max=0.999, help="Share of accepted answers that shall be right.", show_default="0.95"
        ),
    ] = None,
    confidence: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Probability that this promise is kept.")
    ] = 0.9,
    group_column: GroupColumn = None,
    time_column: Annotated[
        str | None, typer.Option(help="Score on rows later than those trained on, too.")
    ] = None,
    weight_column: WeightColumn = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the solver and the folds.")] = 0,
    report: ReportFile = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the outputs if they exist.")] = False,
    cluster: Cluster = None,
) -> None:
    """Train a model on labelled descriptions and say how good it is."""
    if folds == 1:
        raise typer.BadParameter("choose 2 folds or more, or 0 for none", param_hint="--folds")
    needing = {
        "--report": report,
        "--target-precision": target_precision,
        "--group-column": group_column,
        "--time-column": time_column,
    }
    if not folds:
        refuse_any(needing, "needs cross-validation: choose 2 folds or more")
    if report and report.resolve() == output.resolve():
        raise typer.BadParameter("is the model file: name another", param_hint="--report")
    from outsort.data.dataset import read
    from outsort.files import check_output
    from outsort.model_file import save
    from outsort.reporting.terminal import certificate_line, gap_line, scores_table, write_tables
    from outsort.training.fitting import Settings
    from outsort.training.folds import LINES_OUT, STRATIFIED, Checks
    from outsort.training.train import train_validated

    check_output(output, force=force)
    if report:
        check_report(report, force=force)
    dataset = read(data, text_column=text_column, label_column=label_column, line_column=line_column)
    tell_reading(dataset)
    start = time.perf_counter()
    checks = Checks(
        folds=folds,
        target_precision=target_precision or Checks.target_precision,
        confidence=confidence,
        group_column=group_column,
        time_column=time_column,
        weight_column=weight_column,
    )
    with work_on(cluster):
        model, validation = train_validated(dataset, Settings(seed=seed), checks)
    seconds = time.perf_counter() - start
    size = save(model, output, force=force)
    counts = model.about["data"]["rows_by_label"]
    lines = f", {len(model.lines)} service lines" if model.has_lines else ""
    typer.echo(
        f"{len(dataset.texts):,} rows used"
        f" ({', '.join(f'{n:,} {label}' for label, n in counts.items())}{lines})"
    )
    if model.about["scores"]:
        write_tables(sys.stdout, [scores_table(model.about["scores"], "cross-validation")])
        gap = gap_line(model.about["scores"], STRATIFIED, LINES_OUT)
        if gap:
            typer.echo(gap)
    typer.echo(f"{output}: {len(model.terms):,} terms, {size / 1e6:.1f} MB, in {seconds:.1f} s")
    if validation:
        if report:
            from outsort.reporting.report import of_training, write

            write(of_training(model, dataset, validation, weight_column), report, force=force)
        typer.echo(certificate_line(validation.certificate))
        if target_precision and not validation.certificate.coverage:
            raise typer.Exit(3)


def card(model: ModelFile = None) -> None:
    """Write a model card in Markdown: what a model is, how good it is and what it is for."""
    from outsort.model_file import load
    from outsort.reporting.card import card as card_of

    typer.echo(card_of(load(model)), nl=False)


def retrain(
    data: Data,
    base: Annotated[Path, typer.Option(help="Model file: the one there is.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write.")],
    gate: Annotated[
        Gate | None, typer.Option(help="Write nothing and exit with 3 if the new model is worse.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="CSV file of labelled texts for measuring only: compares on it, too.")
    ] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    line_column: LineColumn = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of cross-validation.")] = 5,
    group_column: GroupColumn = None,
    weight_column: WeightColumn = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the solver and the folds.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")] = False,
) -> None:
    """Train a model to replace another, and say whether it is better on what the other never saw.

    On rows that are new, the old model's answers are compared with those of models trained without them;
    on lines and groups left out whole, models of all rows with models of the rows that the old one had.
    """
    from outsort.data.dataset import read
    from outsort.files import check_output
    from outsort.improving.retrain import retrain as train_again
    from outsort.model_file import load, save
    from outsort.reporting.terminal import comparison_tables, judgement_line, scores_table, write_tables
    from outsort.training.fitting import Settings
    from outsort.training.folds import Checks

    check_output(output, force=force)
    old = load(base)
    dataset = read(data, text_column=text_column, label_column=label_column, line_column=line_column)
    tell_reading(dataset)
    measure = (
        read(test, text_column=text_column, label_column=label_column, for_training=False) if test else None
    )
    model, result = train_again(
        dataset,
        old,
        settings=Settings(seed=seed),
        checks=Checks(folds=folds, group_column=group_column, weight_column=weight_column),
        test=measure,
    )
    write_tables(sys.stdout, [scores_table(model.about["scores"], "cross-validation")])
    typer.echo(f"{result['new_rows']:,} of {len(dataset.texts):,} rows are new to {base}")
    if result["on_new_rows"]:
        typer.echo(f"On them: {judgement_line(result['on_new_rows'])}")
    for scheme, verdict in result["on_groups"].items():
        found = judgement_line(verdict, "sign test of groups")
        typer.echo(f"On {scheme}, all rows against those {base} had: {found}")
    if result["on_test"] and measure:
        for path, share in zip((base, output), result["on_test"]["share_seen"].values(), strict=True):
            tell_seen(measure, str(path), share)
        typer.echo(f"On {test}:")
        write_tables(sys.stdout, comparison_tables(result["on_test"]))
    if gate and (result["worse"] or not result["judged"]):
        why = "the new model is worse" if result["worse"] else "no new row and no --test to judge it by"
        typer.echo(f"outsort: {output}: not written: {why}", err=True)
        raise typer.Exit(3)
    size = save(model, output, force=force)
    typer.echo(f"{output}: {len(model.terms):,} terms, {size / 1e6:.1f} MB")


def plan(
    data: Data,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="Labels to be made; as many as are worth it by default.")
    ] = None,
    min_gain: Annotated[
        float,
        typer.Option(min=1e-6, max=1, help="Accuracy that 100 more labels must bring to be worth making."),
    ] = 0.001,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    line_column: LineColumn = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of cross-validation.")] = 5,
    weight_column: WeightColumn = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the solver and the folds.")] = 0,
    lines: Annotated[int, typer.Option(min=0, help="Service lines shown, at most.")] = 10,
    as_json: Json = False,
) -> None:
    """Say how many more labels are worth making, and which service lines need them.

    Models of growing shares of the rows tell how accuracy rises; the labels go where they take most
    mistakes away. An answer is right when the likeliest of BPO, KPO and NEITHER is the row's label.
    """
    import json

    from outsort.data.dataset import read
    from outsort.improving import plan
    from outsort.reporting.terminal import plan_tables, write_tables
    from outsort.training.fitting import Settings

    dataset = read(data, text_column=text_column, label_column=label_column, line_column=line_column)
    tell_reading(dataset)
    result = plan.plan(
        dataset,
        min_gain=min_gain,
        n_labels=n,
        settings=Settings(seed=seed),
        n_folds=folds,
        weight_column=weight_column,
    )
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        write_tables(sys.stdout, plan_tables(result, lines))
