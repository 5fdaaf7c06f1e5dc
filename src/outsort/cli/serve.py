"""The command that serves over HTTP."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from outsort.cli import options as opt
from outsort.cli.command import described
from outsort.errors import OutsortError


@described(
    "Serve",
    """Serve an HTTP API and a page to classify, review and correct texts in a browser.

    If the environment variable OUTSORT_TOKEN is set, every client must send that token; otherwise the
    service binds to this machine only. Other variables set limits: see docs/serving.md.

    With --learn the page can learn from your corrections, on this machine only: they are merged into DATA, and a new
    model is trained, with --clauses and --share as in train, which takes over unless it is worse. Models and a log are
    kept in a folder beside DATA; without --model, the service starts with the model last used. The address then
    contains a token: keep it to yourself.
    """,
    example="outsort serve --open\noutsort serve -m mine.joblib --port 9000",
)
def serve(
    model: opt.ModelFile = None,
    taxonomy: opt.TaxonomyFile = None,
    rules: opt.RulesFile = None,
    host: Annotated[str, typer.Option(help="Host name or address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free port.")] = 8000,
    learn: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Table of labelled texts that the page may merge corrections into, to train a better model.",
        ),
    ] = None,
    clauses: opt.Clauses = None,
    share: opt.Share = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> None:
    from outsort.files import open_binary
    from outsort.improving.history import History
    from outsort.model_file import load
    from outsort.taxonomy import load as load_taxonomy

    try:
        from outsort.service import app, settings
        from outsort.service.learning import LearnInto
    except ModuleNotFoundError as error:
        raise OutsortError(f"serve needs {error.name}; install it with pip install 'outsort[serve]'.") from None
    if not learn:
        opt.refuse_any({"--clauses": clauses, "--share": share}, "is for training: name the data with --learn")
    limits = settings.ServiceSettings.from_environment()
    if learn:
        opt.refuse_any({"--taxonomy": taxonomy, "--rules": rules}, "cannot be combined with --learn")
        open_binary(learn, hint="Name a table of labelled texts, such as a copy of data/tasks.csv.").close()
    if clauses:
        open_binary(clauses, hint="Name a table of marked clauses, such as data/clauses.csv.").close()
    judge = (History(learn).last() if learn and not model else None) or load(model)
    into = LearnInto(learn, clauses, opt.shares_of(share, judge.labels)) if learn else None
    categories = load_taxonomy(taxonomy, judge) if taxonomy else None
    own = opt.rules_for_texts(rules, judge) if rules else None

    def tell(address: str) -> None:
        typer.echo(f"The page is at {address} (Ctrl+C stops it).")
        if open_page:
            webbrowser.open(address)

    app.serve(judge, host, port, limits, categories, own, tell, into)
