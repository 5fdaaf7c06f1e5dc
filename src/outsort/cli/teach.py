"""Commands around training: train, retrain, plan, certify, card."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outsort.cli import options as opt

if TYPE_CHECKING:
    from outsort.data.dataset import Dataset
    from outsort.improving.certify import Certified
    from outsort.improving.retrain import Retraining
    from outsort.model import Model
    from outsort.training.about import Summary


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
    """Train a model on labelled descriptions and score it by cross-validation."""
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
    from outsort.reporting.terminal import certificate_line
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
        shares=opt.shares_of(share, dataset),
    )
    settings = Settings(seed=seed, later=opt.by_label(later, dataset, "--later"))
    with opt.work_on(cluster):
        model, validation = train_validated(dataset, settings, checks)
    seconds = time.perf_counter() - start
    size = save(model, output, force=force)
    summary = summarize(model)
    if report and validation:
        from outsort.reporting.report import of_training, write

        write(of_training(model, dataset, validation, weight_column), report, force=force)
    if as_json:
        written = {"output": str(output), "bytes": size, "seconds": round(seconds, 3)}
        opt.write_json(written | summary.to_dict())
    else:
        _print_training(summary, dataset)
        typer.echo(f"{output}: {summary.terms:,} terms, {size / 1e6:.1f} MB, in {seconds:.1f} s")
        if summary.decision:
            typer.echo(certificate_line(summary.decision))
    if target_precision and summary.decision and not summary.decision.coverage:
        raise typer.Exit(3)


def _print_training(summary: Summary, dataset: Dataset) -> None:
    from outsort.reporting.terminal import gap_line, scores_table, write_tables
    from outsort.training.folds import LINES_OUT, STRATIFIED

    labels = (f"{dataset.labels.count(label):,} {label}" for label in sorted(set(dataset.labels)))
    lines = f", {summary.service_lines} service lines" if summary.service_lines else ""
    typer.echo(f"{len(dataset.texts):,} rows used ({', '.join(labels)}{lines})")
    if summary.scores:
        write_tables(sys.stdout, [scores_table(summary.scores, "cross-validation")])
    gap = gap_line(summary.scores, STRATIFIED, LINES_OUT)
    if gap:
        typer.echo(gap)


def card(model: opt.ModelFile = None) -> None:
    """Print the card of a model in Markdown: what it is, how good it is and what it is for."""
    from outsort.model_file import load
    from outsort.reporting.card import card as card_of

    typer.echo(card_of(load(model)), nl=False)


def certify(
    sample: Annotated[Path, typer.Argument(help="Random sample of your texts, with a person's labels.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write.")],
    model: opt.ModelFile = None,
    taxonomy: opt.TaxonomyFile = None,
    of: Annotated[
        Path | None, typer.Option(help="Table the sample is from: also show how much of it can go unread.")
    ] = None,
    random_sample: Annotated[
        bool, typer.Option("--random-sample", help="The rows were drawn at random, though not by `outsort review`.")
    ] = False,
    target_precision: opt.TargetPrecision = None,
    level: opt.Level = 0.9,
    text_column: opt.TextColumn = None,
    label_column: opt.LabelColumn = None,
    label_map: opt.LabelMap = None,
    encoding: opt.Encoding = None,
    delimiter: opt.Delimiter = None,
    sheet: opt.Sheet = None,
    header_row: opt.HeaderRow = None,
    no_header: opt.NoHeader = False,
    as_json: opt.Json = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the model file if it exists.")] = False,
) -> None:
    """Calibrate a model and certify its threshold on a random sample of your own texts.

    `outsort review --strategy random` makes a sample; fill in its labels, UNCLEAR where a text says too little.
    Exit code 3 if the sample cannot certify a threshold; then nothing is written.

    With --taxonomy it certifies categories: the column category, or one named as the axis, such as level, holds their
    codes or names. The model's labels stay as they are.
    """
    from outsort.data.dataset import read
    from outsort.evaluation.categories import read_categories
    from outsort.files import check_output
    from outsort.improving.certify import certify_model
    from outsort.improving.certify_categories import certify_categories
    from outsort.model_file import load, save
    from outsort.reporting.terminal import certified_lines
    from outsort.scoring.files import share_accepted
    from outsort.taxonomy import load as load_taxonomy
    from outsort.training.folds import Checks

    check_output(output, force=force)
    judge = load(model)
    target = target_precision or Checks.target_precision
    reading = opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header)
    columns = {"text_column": text_column, "label_column": label_column, "label_map": label_map}
    if taxonomy:
        opt.refuse_any({"--of": of}, "cannot be combined with --taxonomy")
        samples = read_categories(sample, load_taxonomy(taxonomy, judge), **columns, reading=reading)
        for _, rows in samples:
            opt.tell_reading(rows)
        with _exit_without_sample():
            certified, found = certify_categories(
                judge, samples, is_random=random_sample, target_precision=target, level=level
            )
        changed = None if certified is judge else certified
        _write_categories(changed, found, output, as_json=as_json, force=force)
        return
    dataset = read(sample, **columns, known_labels=judge.labels, for_training=False, needs_labels=True, reading=reading)
    opt.tell_reading(dataset)
    with _exit_without_sample():
        certified, result = certify_model(judge, dataset, is_random=random_sample, target_precision=target, level=level)
    if result.certificate.coverage:
        if of:
            result = replace(result, share_of=share_accepted(of, certified))
        save(certified, output, force=force)
    if as_json:
        opt.write_json(result.to_dict())
    else:
        typer.echo("\n".join(certified_lines(result, str(of))))
    if not result.certificate.coverage:
        raise typer.Exit(3)


@contextmanager
def _exit_without_sample() -> Iterator[None]:
    """Exit with 3, after its message, where rows cannot certify anything."""
    from outsort.improving.certify import NoSampleError

    try:
        yield
    except NoSampleError as error:
        typer.echo(f"outsort: {error}", err=True)
        raise typer.Exit(3) from None


def _write_categories(
    certified: Model | None, found: Mapping[str, Certified], output: Path, *, as_json: bool, force: bool
) -> None:
    """Save a model that certifies categories, and say what it does; exit with 3 if there is none."""
    from outsort.model_file import save
    from outsort.reporting.terminal import certified_lines

    if certified:
        save(certified, output, force=force)
    if as_json:
        opt.write_json({column: one.to_dict() for column, one in found.items()})
    else:
        for column, one in found.items():
            typer.echo("\n".join(f"{column}: {line}" for line in certified_lines(one, "")))
    if not certified:
        raise typer.Exit(3)


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
    """Train a model to replace another, and compare the two on rows that the other never saw.

    On new rows, the old model is compared with models trained without those rows; on unseen service lines and
    groups, models of all rows with models of the old model's rows. The new model promises the precision that
    the old one does.
    """
    from outsort.data.dataset import read
    from outsort.files import check_output
    from outsort.improving.retrain import promised
    from outsort.improving.retrain import retrain as train_again
    from outsort.model_file import load, save
    from outsort.reporting.terminal import certificate_line
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
    model, result = train_again(
        dataset,
        old,
        settings=Settings(seed=seed, later=opt.by_label(later, dataset, "--later")),
        checks=replace(
            promised(old),
            folds=folds,
            group_column=group_column,
            weight_column=weight_column,
            shares=opt.shares_of(share, dataset),
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
        _print_retraining(summary, result, base, test, len(dataset.texts))
        if not refused:
            typer.echo(f"{output}: {summary.terms:,} terms, {size / 1e6:.1f} MB")
            if summary.decision:
                typer.echo(certificate_line(summary.decision))
    if refused:
        why = "the new model is worse" if result.worse else "no new rows and no --test to compare on"
        typer.echo(f"outsort: {output}: not written: {why}", err=True)
        raise typer.Exit(3)


def _print_retraining(summary: Summary, result: Retraining, base: Path, test: Path | None, n_rows: int) -> None:
    from outsort.reporting.comparison import comparison_tables
    from outsort.reporting.terminal import judgement_line, scores_table, write_tables

    write_tables(sys.stdout, [scores_table(summary.scores, "cross-validation")])
    typer.echo(f"{result.new_rows:,} of {n_rows:,} rows are new to {base}")
    if result.on_new_rows:
        typer.echo(f"On new rows: {judgement_line(result.on_new_rows)}")
    for scheme, judgement in result.on_groups.items():
        found = judgement_line(judgement, "sign test of groups")
        typer.echo(f"On {scheme}, all rows against the rows of {base}: {found}")
    if result.on_test:
        typer.echo(f"On {test}:")
        write_tables(sys.stdout, comparison_tables(result.on_test))


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
    """Plan how many more labels to make, and for which service lines.

    A learning curve over growing shares of the rows forecasts accuracy; labels go where they prevent most
    mistakes. An answer is right when the most probable label is that of the row.
    """
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
    result = plan.plan(
        dataset, min_gain=min_gain, n_labels=n, settings=Settings(seed=seed), n_folds=folds, weight_column=weight_column
    )
    opt.write_result(result, plan_tables(result, lines), as_json=as_json)
