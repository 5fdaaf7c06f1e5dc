"""The command line: parse, call, print."""

# Each command imports what it needs when it runs: `outsort --help` must not wait for NumPy, nor a
# prediction for scikit-learn.

from __future__ import annotations

import gc
import signal
import sys
import threading
import time
from contextlib import nullcontext
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import outsort
from outsort.errors import OutsortError
from outsort.printing import Format

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import FrameType

    from outsort.dataset import Dataset

app = typer.Typer(
    name="outsort",
    help="Sort descriptions of work into BPO (procedure, volume) or KPO (expertise, judgement).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[Path, typer.Argument(help="CSV file with a text and a label column.")]
TextColumn = Annotated[str | None, typer.Option(help="Column of texts; found by its usual name.")]
LabelColumn = Annotated[str | None, typer.Option(help="Column of labels: BPO, KPO or NEITHER.")]
LineColumn = Annotated[str | None, typer.Option(help="Column of service lines, if there is one.")]
WeightColumn = Annotated[
    str | None, typer.Option(help="Column of how much each row counts: spend, headcount.")
]
GroupColumn = Annotated[str | None, typer.Option(help="Score on groups left out whole, too: suppliers, say.")]
ModelFile = Annotated[
    Path | None,
    typer.Option("--model", "-m", help="Model file; the default model ships with outsort."),
]
Texts = Annotated[
    list[str] | None,
    typer.Argument(help="Descriptions of work; without any, one a line from standard input."),
]
Style = Annotated[
    Format | None, typer.Option("--format", "-f", help="Default: table on a terminal, csv elsewhere.")
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", metavar="HTML", help="Write all of it as a web page, too.")
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of tables.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on a Dask cluster: its scheduler's tcp://HOST:PORT, or local:N for N workers here.",
    ),
]
FORMATS = "csv|tsv|jsonl|parquet|xlsx"
TextColumns = Annotated[
    list[str] | None, typer.Option(help="Column of texts; several are joined. Found by its usual name.")
]
ReadAs = Annotated[str | None, typer.Option("--from", metavar=FORMATS, help="Format of the input.")]
Encoding = Annotated[str | None, typer.Option(help="Encoding of CSV input; found when left out.")]
Sheet = Annotated[str | None, typer.Option(help="Sheet of a workbook; the first when left out.")]


class Gate(StrEnum):
    """What a new model must be."""

    NO_WORSE = "no-worse"


class By(StrEnum):
    """How texts are chosen for review."""

    MIXED = "mixed"
    UNCERTAIN = "uncertain"
    WEIGHT = "weight"
    NOVEL = "novel"
    RANDOM = "random"


class OnError(StrEnum):
    """What to do at a row that cannot be read."""

    STOP = "stop"
    KEEP = "keep"


def _version(value: bool) -> None:
    if value:
        typer.echo(f"outsort {outsort.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def predict(
    texts: Texts = None,
    model: ModelFile = None,
    style: Style = None,
    terms: Annotated[int, typer.Option(min=0, help="Terms named for and against, at most.")] = 3,
) -> None:
    """Say BPO or KPO for each text, how likely, and why."""
    from outsort.artefact import load
    from outsort.prediction import predictions
    from outsort.printing import write_predictions

    asked = _texts(texts)
    write_predictions(predictions(asked, load(model), n_terms=terms), sys.stdout, _style(style))


@app.command()
def explain(
    texts: Texts = None,
    model: ModelFile = None,
    style: Style = None,
    data: Annotated[
        Path | None, typer.Option(help="CSV file of labelled texts: shows those most like each text.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Such texts shown, at most.")] = 3,
    lines: Annotated[int, typer.Option(min=0, help="Service lines shown, at most.")] = 3,
) -> None:
    """Say what each word of a text added to its answer, and which labelled texts are most like it.

    The words, the bias and the spread of the service lines add up to the log-odds of KPO against BPO.
    """
    from outsort import explanation
    from outsort.artefact import load
    from outsort.prediction import predict
    from outsort.printing import write_explanations

    asked = _texts(texts)
    judge = load(model)
    labelled = None
    if data:
        from outsort.dataset import read

        labelled = read(data)
        _tell_reading(labelled)
        if labelled.fingerprint != judge.about.get("data", {}).get("sha256"):
            typer.echo(f"{data}: not the data that the model was trained on", err=True)
    results = (
        (
            predict(text, judge),
            explanation.explain(judge, text),
            explanation.find_precedents(judge, text, labelled, examples) if labelled else [],
        )
        for text in asked
    )
    write_explanations(results, sys.stdout, _style(style), n_lines=lines)


@app.command()
def score(
    inputs: Annotated[
        list[str], typer.Argument(help="Tables to score: names, patterns, or - for standard input.")
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", help="File to write, - for standard output, or a folder.")
    ],
    model: ModelFile = None,
    text_column: TextColumns = None,
    prefix: Annotated[str | None, typer.Option(help="Put before the names of the new columns.")] = None,
    read_as: ReadAs = None,
    write_as: Annotated[
        str | None, typer.Option("--to", metavar=FORMATS, help="Format of the output.")
    ] = None,
    encoding: Encoding = None,
    sheet: Sheet = None,
    explain: Annotated[bool, typer.Option("--explain", help="Add the terms for and against.")] = False,
    on_error: Annotated[
        OnError, typer.Option(help="At a row that cannot be read: stop, or keep it with the reason.")
    ] = OnError.STOP,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows of each input, at most.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; one a core when left out.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace outputs that exist.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave the finished parts of a folder, make the others.")
    ] = False,
    cluster: Cluster = None,
) -> None:
    """Answer every row of a table, or of many, in CSV, TSV, JSON lines, Parquet or Excel.

    All columns pass through as they are; label, probability, neither, service_line, decision, reason and
    model come behind them.
    """
    from outsort import scoring
    from outsort.artefact import load
    from outsort.printing import progress_line

    options = scoring.Options(
        text_columns=tuple(text_column or ()),
        prefix=prefix,
        explain=explain,
        keep=on_error is OnError.KEEP,
        limit=limit,
        workers=workers,
        read_as=read_as,
        write_as=write_as,
        encoding=encoding,
        sheet=sheet,
    )
    into_folder = (
        len(inputs) > 1 or Path(output).is_dir() or output.endswith("/") or scoring.is_pattern(inputs[0])
    )
    if not into_folder:
        _refuse_any({"--resume": resume, "--cluster": cluster}, "goes with an output folder")
    if cluster and workers:
        raise typer.BadParameter("goes without --cluster; say --cluster local:N", param_hint="--workers")
    loaded = load(model)
    with progress_line() as progress:
        if into_folder:
            score_files = scoring.score_files
            if cluster:
                from outsort.cluster import score_files as score_files_on

                _silence_logs()
                score_files = partial(score_files_on, cluster=cluster)
            counts = score_files(
                inputs, Path(output), loaded, options=options, force=force, resume=resume, progress=progress
            )
        else:
            counts = {
                output: scoring.score_file(
                    inputs[0], output, loaded, options=options, force=force, progress=progress
                )
            }
    for name, n_rows in counts.items():
        typer.echo(f"{'standard output' if name == '-' else name}: {n_rows:,} rows", err=True)


@app.command()
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
        _refuse_any(needing, "needs cross-validation: choose 2 folds or more")
    if report and report.resolve() == output.resolve():
        raise typer.BadParameter("is the model file: name another", param_hint="--report")
    from outsort import training
    from outsort.artefact import save
    from outsort.dataset import read
    from outsort.files import check_output
    from outsort.printing import certificate_line, gap_line, scores_table, write_tables

    check_output(output, force=force)
    if report:
        _check_report(report, force=force)
    dataset = read(data, text_column=text_column, label_column=label_column, line_column=line_column)
    _tell_reading(dataset)
    start = time.perf_counter()
    checks = training.Checks(
        folds=folds,
        target_precision=target_precision or training.Checks.target_precision,
        confidence=confidence,
        group_column=group_column,
        time_column=time_column,
        weight_column=weight_column,
    )
    with _work_on(cluster):
        model, validation = training.train_validated(dataset, training.Settings(seed=seed), checks)
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
        gap = gap_line(model.about["scores"], training.STRATIFIED, training.LINES_OUT)
        if gap:
            typer.echo(gap)
    typer.echo(f"{output}: {len(model.terms):,} terms, {size / 1e6:.1f} MB, in {seconds:.1f} s")
    if validation:
        if report:
            from outsort.report import of_training, write

            write(of_training(model, dataset, validation, weight_column), report, force=force)
        typer.echo(certificate_line(validation.certificate))
        if target_precision and not validation.certificate.coverage:
            raise typer.Exit(3)


@app.command()
def evaluate(
    data: Data,
    model: ModelFile = None,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Score each value of a column apart, too; may be repeated."),
    ] = None,
    weight_column: WeightColumn = None,
    as_json: Json = False,
    mistakes: Annotated[int, typer.Option(min=0, help="Worst mistakes listed, at most.")] = 10,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    report: ReportFile = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the report if it exists.")] = False,
    cluster: Cluster = None,
) -> None:
    """Score a model on labelled descriptions.

    Rows labelled NEITHER or UNCLEAR are left out of the scores of BPO against KPO; they show how well
    such texts are told apart, and count as wrong where they are accepted.
    """
    import json

    from outsort import evaluation
    from outsort.artefact import load
    from outsort.dataset import read
    from outsort.printing import evaluation_tables, write_tables

    if report:
        _check_report(report, force=force)
    dataset = read(data, text_column=text_column, label_column=label_column, for_training=False)
    _tell_reading(dataset)
    judge = load(model)
    with _work_on(cluster):
        answers = evaluation.answer(judge, dataset, by=by or (), weight_column=weight_column)
    result = evaluation.evaluate_answers(judge, answers, n_mistakes=mistakes)
    _tell_seen(dataset, "the model", result["share_seen"])
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        write_tables(sys.stdout, evaluation_tables(result))
    if report:
        from outsort.report import of_evaluation, write

        write(of_evaluation(judge, dataset, answers, result), report, force=force)


@app.command()
def card(model: ModelFile = None) -> None:
    """Write a model card in Markdown: what a model is, how good it is and what it is for."""
    from outsort.artefact import load
    from outsort.card import card as card_of

    typer.echo(card_of(load(model)), nl=False)


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(help="Model file: the one there is.")],
    new: Annotated[Path, typer.Argument(help="Model file: the one that may replace it.")],
    data: Data,
    gate: Annotated[Gate | None, typer.Option(help="Exit with 3 if the new model is worse.")] = None,
    weight_column: WeightColumn = None,
    as_json: Json = False,
    flips: Annotated[int, typer.Option(min=0, help="Rows whose label flips listed, at most.")] = 10,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
) -> None:
    """Say whether a new model is better than an old one, on the same labelled descriptions.

    With --gate no-worse it exits with 3 when fewer rows are right than chance can excuse: exact McNemar
    test at 5 %, or an interval of the difference that lies below 0.
    """
    import json

    from outsort import comparison
    from outsort.artefact import load
    from outsort.dataset import read
    from outsort.printing import comparison_tables, write_tables

    before, after = load(old), load(new)
    dataset = read(data, text_column=text_column, label_column=label_column, for_training=False)
    _tell_reading(dataset)
    if before.knows_neither != after.knows_neither:
        path = old if before.knows_neither else new
        typer.echo(f"only {path} knows NEITHER: the other accepts such rows like any", err=True)
    result = comparison.compare(before, after, dataset, weight_column=weight_column, n_flips=flips)
    for path, share in zip((old, new), result["share_seen"].values(), strict=True):
        _tell_seen(dataset, str(path), share)
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        write_tables(sys.stdout, comparison_tables(result))
    if gate and result["worse"]:
        typer.echo(f"outsort: {new} is worse than {old}", err=True)
        raise typer.Exit(3)


@app.command()
def check(
    data: Annotated[Path, typer.Argument(help="CSV file with texts, and labels if it has any.")],
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    line_column: LineColumn = None,
    min_rows: Annotated[int, typer.Option(min=0, help="Rows each line or label should have.")] = 20,
    max_style: Annotated[
        float, typer.Option(min=0.5, max=1, help="Accuracy that style alone may reach, BPO against KPO.")
    ] = 0.58,
    similarity: Annotated[
        float, typer.Option(min=0.2, max=1, help="Jaccard similarity of near duplicates.")
    ] = 0.6,
    show: Annotated[int, typer.Option(min=0, help="Findings of each kind to list, at most.")] = 5,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 if a limit is passed.")] = False,
    as_json: Json = False,
) -> None:
    """Look for what makes labelled descriptions poor teaching.

    Copies, conflicts, labels that are probably wrong, style that gives the label away, thin lines.
    """
    import json

    from outsort.audit import Limits, audit
    from outsort.printing import audit_tables, write_tables

    limits = Limits(near_duplicate=similarity, style=max_style, min_rows=min_rows)
    result = audit(
        data,
        text_column=text_column,
        label_column=label_column,
        line_column=line_column,
        limits=limits,
    )
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        write_tables(sys.stdout, audit_tables(result, show))
    for what in result["left_out"]:
        typer.echo(f"left out: {what}", err=True)
    if strict and result["failed"]:
        typer.echo(f"outsort: {result['source']}: past the limit: {', '.join(result['failed'])}", err=True)
        raise typer.Exit(3)


@app.command()
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
    from outsort import review as reviewing
    from outsort.artefact import load
    from outsort.scoring import Options

    if by is By.WEIGHT and weight_column is None:
        raise typer.BadParameter("needs --weight-column", param_hint="--by weight")
    reviewing.check_queue(output, force=force)
    judge = load(model)
    options = Options(text_columns=tuple(text_column or ()), read_as=read_as, encoding=encoding, sheet=sheet)
    candidates = reviewing.read_candidates(scored, judge, options=options, weight_column=weight_column)
    weights = None if weight_column is None else candidates.weights
    chosen = reviewing.choose(judge, candidates.texts, n, by.value, weights=weights, seed=seed)
    n_long = reviewing.write_queue(output, judge, candidates, chosen, force=force)
    if candidates.n_seen:
        typer.echo(f"{scored}: {candidates.n_seen:,} texts left out: the model was trained on them", err=True)
    if n_long:
        typer.echo(f"{output}: {n_long:,} texts left out: too long for a workbook's cell", err=True)
    typer.echo(f"{output}: {len(chosen) - n_long:,} of {len(candidates.texts):,} texts to review", err=True)


@app.command()
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
    from outsort.artefact import load
    from outsort.merging import merge as bring_in

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


@app.command()
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
    from outsort import training
    from outsort.artefact import load, save
    from outsort.dataset import read
    from outsort.files import check_output
    from outsort.printing import comparison_tables, judgement_line, scores_table, write_tables
    from outsort.retraining import retrain as train_again

    check_output(output, force=force)
    old = load(base)
    dataset = read(data, text_column=text_column, label_column=label_column, line_column=line_column)
    _tell_reading(dataset)
    measure = (
        read(test, text_column=text_column, label_column=label_column, for_training=False) if test else None
    )
    model, result = train_again(
        dataset,
        old,
        settings=training.Settings(seed=seed),
        checks=training.Checks(folds=folds, group_column=group_column, weight_column=weight_column),
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
            _tell_seen(measure, str(path), share)
        typer.echo(f"On {test}:")
        write_tables(sys.stdout, comparison_tables(result["on_test"]))
    if gate and (result["worse"] or not result["judged"]):
        why = "the new model is worse" if result["worse"] else "no new row and no --test to judge it by"
        typer.echo(f"outsort: {output}: not written: {why}", err=True)
        raise typer.Exit(3)
    size = save(model, output, force=force)
    typer.echo(f"{output}: {len(model.terms):,} terms, {size / 1e6:.1f} MB")


@app.command()
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

    from outsort import planning
    from outsort.dataset import read
    from outsort.printing import plan_tables, write_tables
    from outsort.training import Settings

    dataset = read(data, text_column=text_column, label_column=label_column, line_column=line_column)
    _tell_reading(dataset)
    result = planning.plan(
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


@app.command()
def serve(
    model: ModelFile = None,
    host: Annotated[str, typer.Option(help="Name or address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8000,
) -> None:
    """Answer over HTTP, and serve a page to sort, review and correct texts in a browser.

    A token in the environment variable OUTSORT_TOKEN is asked of every client; without one only this
    machine is listened to.
    """
    import os

    from outsort.artefact import load

    try:
        from outsort import service
    except ModuleNotFoundError as error:
        raise OutsortError(
            f"serve needs {error.name}; install it with pip install 'outsort[serve]'."
        ) from None
    service.serve(load(model), host, port, os.environ.get(service.TOKEN_NAME))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error we know becomes one message and exit code 1.

    Args:
        arguments: the words after the program's name; those of the process when None.
    """
    # A text may hold what the terminal's encoding cannot show; that is no reason to lose its row.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # Unwinding lets every half-made output go before the process does.
    for number in (signal.SIGINT, signal.SIGTERM):
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, _stopped)
    # Loading a model and its libraries makes many objects that stay: looking through them for garbage
    # again and again, and once more at the end, takes a fifth of a second.
    gc.set_threshold(100_000, 50, 50)
    try:
        app(args=arguments)
    except OutsortError as error:
        typer.echo(f"outsort: {error}", err=True)
        sys.exit(1)
    finally:
        gc.freeze()


def _stopped(number: int, frame: FrameType | None) -> None:
    """Leave with the exit code a shell expects of a process that a signal ended: 130, 143.

    LLVM calls back into Python while it loads code. An exception there is lost, and LLVM goes on with
    half of an answer until it crashes: so the signal is sent again until no such call is under way.
    """
    while frame:
        if frame.f_globals.get("__name__", "").startswith("llvmlite."):
            later = threading.Timer(0.01, signal.raise_signal, [number])
            later.daemon = True
            later.start()
            return
        frame = frame.f_back
    sys.exit(128 + number)


def _refuse_any(options: Mapping[str, object], why: str) -> None:
    """Refuse the first option that was given a value."""
    for option, given in options.items():
        if given:
            raise typer.BadParameter(why, param_hint=option)


def _work_on(cluster: str | None) -> AbstractContextManager[None]:
    if not cluster:
        return nullcontext()
    from outsort.cluster import parallel_on

    _silence_logs()
    return parallel_on(cluster)


def _silence_logs() -> None:
    """Keep what Dask logs of a failure, at length, from the one message that says it."""
    import logging

    logging.disable(logging.CRITICAL)


def _texts(given: list[str] | None) -> list[str]:
    if not given and sys.stdin.isatty():
        raise typer.BadParameter("give a text, or pipe one a line to standard input", param_hint="TEXTS")
    return given or _lines_of_stdin()


def _style(given: Format | None) -> Format:
    return given or (Format.TABLE if sys.stdout.isatty() else Format.CSV)


def _lines_of_stdin() -> list[str]:
    from outsort.files import decode

    text, encoding = decode(sys.stdin.buffer.read(), "standard input")
    _tell_encoding("standard input", encoding)
    lines = text.split("\n")
    # What follows the last line break is a line only if there is something there.
    return [line.removesuffix("\r") for line in (lines if lines[-1] else lines[:-1])]


def _check_report(path: Path, *, force: bool) -> None:
    from outsort.report import check

    check(path, force=force)


def _tell_reading(dataset: Dataset) -> None:
    _tell_encoding(dataset.source, dataset.encoding)
    if dataset.n_repeats:
        rows = "row" if dataset.n_repeats == 1 else "rows"
        typer.echo(f"{dataset.source}: {dataset.n_repeats:,} repeated {rows} left out", err=True)


def _tell_seen(dataset: Dataset, model: str, share: float) -> None:
    if share:
        typer.echo(
            f"{dataset.source}: WARNING: {model} was trained on {share:.0%} of these texts; its scores "
            "flatter it. Measure on texts it has not seen.",
            err=True,
        )


def _tell_encoding(source: str, encoding: str) -> None:
    if encoding != "utf-8":
        typer.echo(f"{source}: read as {encoding}", err=True)
