"""What every command has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_quiet = ContextVar("quiet", default=False)


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show no progress and no notes; warnings about the data and errors stay.")
]


def with_quiet(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the option --quiet."""

    @wraps(command)
    def run(*arguments: object, quiet: bool, **named: object) -> None:
        _quiet.set(quiet)
        command(*arguments, **named)

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
    parameters = [*signature.parameters.values(), option]
    # Typer reads both, and would go back to the command itself.
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    run.__annotations__ = {of.name: of.annotation for of in parameters}
    del vars(run)["__wrapped__"]
    return run


def is_quiet() -> bool:
    """Return whether the command was asked to be quiet."""
    return _quiet.get()


def note(message: str) -> None:
    """Show on stderr what is good to know, unless --quiet."""
    if not is_quiet():
        typer.echo(message, err=True)


def steps() -> AbstractContextManager[None]:
    """Return a context whose work shows its steps on stderr, if that is a terminal, unless --quiet."""
    from outsort.reporting.progress import steps_line

    return steps_line(quiet=is_quiet())
