"""Commands about what a model promises: certify, card."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outsort.cli import options as opt
from outsort.cli.command import described, steps

if TYPE_CHECKING:
    from outsort.improving.certify import Certified
    from outsort.model import Model


@described(
    "Train",
    """Calibrate a model and certify its threshold on a random sample of your own texts.

    `outsort review --strategy random` makes a sample; fill in its labels, UNCLEAR where a text says too little.
    Exit code 3 if the sample cannot certify a threshold; then nothing is written.

    With --taxonomy it certifies categories: the column category, or one named as the axis, such as level, holds their
    codes or names. The model's labels stay as they are.
    """,
    example="outsort review tasks.csv -o sample.xlsx --strategy random\n"
    "outsort certify sample.xlsx -o certified.joblib",
)
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
    from outsort.data.dataset import read
    from outsort.evaluation.categories import read_categories
    from outsort.files import check_output
    from outsort.improving.certify import certify_model
    from outsort.improving.certify_categories import certify_categories
    from outsort.model_file import load, save
    from outsort.reporting.layout import write_tables
    from outsort.reporting.terminal import certified_lines
    from outsort.scoring.files import share_accepted
    from outsort.taxonomy import load as load_taxonomy
    from outsort.training.folds import Checks

    check_output(output, force=force)
    judge = load(model)
    target = target_precision or Checks.target_precision
    reading = opt.reading_of(encoding, delimiter, sheet, header_row, no_header=no_header)
    columns: dict[str, Any] = {"text_column": text_column, "label_column": label_column, "label_map": label_map}
    if taxonomy:
        opt.refuse_any({"--of": of}, "cannot be combined with --taxonomy")
        samples = read_categories(sample, load_taxonomy(taxonomy, judge), **columns, reading=reading)
        for _, rows in samples:
            opt.tell_reading(rows)
        with _exit_without_sample(), steps():
            certified, found = certify_categories(
                judge, samples, is_random=random_sample, target_precision=target, level=level
            )
        changed = None if certified is judge else certified
        _write_categories(changed, found, output, as_json=as_json, force=force)
        return
    dataset = read(sample, **columns, known_labels=judge.labels, for_training=False, reading=reading)
    opt.tell_reading(dataset)
    with _exit_without_sample(), steps():
        certified, result = certify_model(judge, dataset, is_random=random_sample, target_precision=target, level=level)
    if result.certificate.coverage:
        if of:
            with steps():
                result = replace(result, share_of=share_accepted(of, certified))
        save(certified, output, force=force)
    if as_json:
        opt.write_json(result.to_dict())
    else:
        write_tables(sys.stdout, certified_lines(result, str(of)))
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
    from outsort.reporting.layout import write_tables
    from outsort.reporting.terminal import certified_lines

    if certified:
        save(certified, output, force=force)
    if as_json:
        opt.write_json({column: one.to_dict() for column, one in found.items()})
    else:
        for column, one in found.items():
            write_tables(sys.stdout, (f"{column}: {line}" for line in certified_lines(one, "")))
    if not certified:
        raise typer.Exit(3)


@described(
    "Train",
    "Print the card of a model: what it is, how good it is and what it is for; in Markdown, for a file.",
    example="outsort card --short",
)
def card(
    model: opt.ModelFile = None,
    short: Annotated[bool, typer.Option("--short", help="Show the scores and the promise alone.")] = False,
    as_json: opt.Json = False,
) -> None:
    from outsort.model_file import load
    from outsort.reporting.card import card as card_of
    from outsort.reporting.card import card_on_terminal, short_card
    from outsort.reporting.layout import write_tables
    from outsort.training.about import summarize

    if short:
        opt.refuse_any({"--json": as_json}, "cannot be combined with --short")
    loaded = load(model)
    if as_json:
        opt.write_json({"labels": list(loaded.labels), **summarize(loaded).to_dict()})
    elif short:
        write_tables(sys.stdout, short_card(loaded))
    elif sys.stdout.isatty():
        write_tables(sys.stdout, card_on_terminal(loaded))
    else:
        typer.echo(card_of(loaded), nl=False)
