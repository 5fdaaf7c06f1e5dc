"""The command that serves over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from outsort.cli.options import ModelFile
from outsort.errors import OutsortError


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

    from outsort.model_file import load

    try:
        from outsort.service import app
    except ModuleNotFoundError as error:
        raise OutsortError(
            f"serve needs {error.name}; install it with pip install 'outsort[serve]'."
        ) from None
    app.serve(load(model), host, port, os.environ.get(app.TOKEN_NAME))
