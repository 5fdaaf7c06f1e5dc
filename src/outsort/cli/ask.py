"""Commands that answer: predict, explain, score."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from outsort.cli import options as opt


def predict(
    texts: opt.Texts = None,
    model: opt.ModelFile = None,
    style: opt.Style = None,
    terms: Annotated[int, typer.Option(min=0, help="Number of terms to show for and against.")] = 3,
) -> None:
    """Classify texts, with a probability and the terms behind it."""
    from outsort.model_file import load
    from outsort.prediction import predictions
    from outsort.reporting.answers import write_predictions

    asked = opt.texts_asked(texts)
    write_predictions(predictions(asked, load(model), n_terms=terms), sys.stdout, opt.format_chosen(style))


def explain(
    texts: opt.Texts = None,
    model: opt.ModelFile = None,
    style: opt.Style = None,
    data: Annotated[
        Path | None, typer.Option(help="Table of labelled texts; shows those most similar to each text.")
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="Number of similar texts to show.")] = 3,
    lines: Annotated[int, typer.Option(min=0, help="Number of service lines to show.")] = 3,
) -> None:
    """Show how much each word added to an answer, and the most similar labelled texts.

    The words, the bias and the rest (several likely service lines, calibration) add up to the log-odds of the
    label against all others. Longer texts are read clause by clause, each counting for its share.
    """
    from outsort import explanation
    from outsort.model_file import load
    from outsort.prediction import predict_explained
    from outsort.reporting.answers import write_explanations

    asked = opt.texts_asked(texts)
    judge = load(model)
    labelled = None
    if data:
        from outsort.data.dataset import read

        labelled = read(data)
        opt.tell_reading(labelled)
        if labelled.fingerprint != judge.about.get("data", {}).get("sha256"):
            typer.echo(f"{data}: is not the data the model was trained on", err=True)
    results = (
        (
            *predict_explained(judge, text),
            explanation.find_precedents(judge, text, labelled, examples) if labelled else [],
        )
        for text in asked
    )
    write_explanations(results, sys.stdout, opt.format_chosen(style), n_lines=lines)


def score(
    inputs: Annotated[list[str], typer.Argument(help="Tables to score: files, patterns, or - for stdin.")],
    output: Annotated[str, typer.Option("--output", "-o", help="File to write, - for stdout, or a folder.")],
    model: opt.ModelFile = None,
    text_column: opt.TextColumns = None,
    prefix: opt.Prefix = None,
    read_as: opt.ReadAs = None,
    write_as: Annotated[
        str | None, typer.Option("--to", metavar=opt.FORMATS, help="Output format; default: by file name.")
    ] = None,
    encoding: opt.Encoding = None,
    sheet: opt.Sheet = None,
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
    cluster: opt.Cluster = None,
) -> None:
    """Classify every row of one or more tables (CSV, TSV, JSON Lines, Parquet, Excel).

    All columns are kept as they are. The columns label, probability, one p_LABEL for each label, service_line,
    decision, reason and model are appended. A line at the end says where a table is unlike the texts that the
    promise for accepted answers was measured on.
    """
    from outsort.errors import Unlike
    from outsort.model_file import load
    from outsort.reporting.terminal import progress_line
    from outsort.scoring import files, folder

    options = files.Options(
        text_columns=tuple(text_column or ()),
        prefix=prefix,
        explain=explain,
        keep=on_error is opt.OnError.KEEP,
        limit=limit,
        workers=workers,
        read_as=read_as,
        write_as=write_as,
        encoding=encoding,
        sheet=sheet,
        safe_for_excel=safe_for_excel,
        plain=plain,
    )
    into_folder = len(inputs) > 1 or Path(output).is_dir() or output.endswith("/") or folder.is_pattern(inputs[0])
    if not into_folder:
        opt.refuse_any({"--resume": resume, "--cluster": cluster}, "needs an output folder")
    if cluster and workers:
        raise typer.BadParameter("cannot be combined with --cluster; use --cluster local:N", param_hint="--workers")
    loaded = load(model)
    unlike = []

    def tell(message: str) -> None:
        typer.echo(message, err=True)
        if isinstance(message, Unlike):
            unlike.append(message)

    with progress_line() as progress:
        if into_folder:
            score_files = folder.score_files
            if cluster:
                from outsort.scoring.cluster import score_files as score_files_on

                opt.silence_logs()
                score_files = partial(score_files_on, cluster=cluster)
            counts = score_files(
                inputs, Path(output), loaded, options=options, force=force, resume=resume, progress=progress, tell=tell
            )
        else:
            n_rows = files.score_file(
                inputs[0], output, loaded, options=options, force=force, progress=progress, tell=tell
            )
            counts = {output: n_rows}
    for name, n_rows in counts.items():
        typer.echo(f"{'stdout' if name == '-' else name}: {n_rows:,} rows", err=True)
    if strict and unlike:
        raise typer.Exit(3)
