"""What every command has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_quiet = ContextVar("quiet", default=False)


@dataclass(frozen=True)
class Described:
    """A command with its help, which is no docstring: Python -OO strips those.

    Attributes:
        run: the command.
        group: where the help of the program lists it, one of `manual.GROUPS`.
        text: its help, the first paragraph in a sentence.
        example: a command line, or several.
    """

    run: Callable[..., None]
    group: str
    text: str
    example: str


def described(group: str, text: str, example: str) -> Callable[[Callable[..., None]], Described]:
    """Return a decorator that gives a command its help."""
    return lambda run: Described(run, group, text, example)


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
