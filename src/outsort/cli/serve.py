"""The command that serves over HTTP."""

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
    """,
    example="outsort serve\noutsort serve -m mine.joblib --port 9000",
)
def serve(
    model: opt.ModelFile = None,
    taxonomy: opt.TaxonomyFile = None,
    rules: opt.RulesFile = None,
    host: Annotated[str, typer.Option(help="Host name or address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free port.")] = 8000,
) -> None:
    from outsort.model_file import load
    from outsort.taxonomy import load as load_taxonomy

    try:
        from outsort.service import app, settings
    except ModuleNotFoundError as error:
        raise OutsortError(f"serve needs {error.name}; install it with pip install 'outsort[serve]'.") from None
    limits = settings.ServiceSettings.from_environment()
    judge = load(model)
    categories = load_taxonomy(taxonomy, judge) if taxonomy else None
    app.serve(judge, host, port, limits, categories, opt.rules_for_texts(rules, judge) if rules else None)
