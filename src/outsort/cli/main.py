"""The command line: parse, call, print."""

# Each command imports what it needs when it runs: `outsort --help` must not wait for NumPy, nor a
# prediction for scikit-learn.

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import warnings
from functools import partial
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from outsort._version import __version__
from outsort.cli import ask, correct, manual, measure, promise, serve, streams, teach
from outsort.cli.command import with_quiet
from outsort.errors import DataWarning, OutsortError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

app = typer.Typer(
    name="outsort",
    help="Sort descriptions of work into BPO (procedure, volume) or KPO (expertise, judgement).",
    cls=manual.Group,
    no_args_is_help=True,
    # Messages as plain text are readable in a narrow terminal, too.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"outsort {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


# The order is that of the help.
for command in (
    ask.predict,
    ask.explain,
    ask.score,
    teach.train,
    teach.retrain,
    promise.certify,
    promise.card,
    teach.plan,
    measure.check,
    measure.evaluate,
    measure.compare,
    correct.review,
    correct.merge,
    serve.serve,
):
    manual.commands[command.run.__name__] = command
    app.command(cls=manual.Command, help=command.text)(with_quiet(command.run))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error of ours or of the system becomes one message and exit code 1.

    Args:
        arguments: the arguments after the program's name; None for those of the process.
    """
    streams.prepare()
    # Unwinding removes every half-written output before the process ends.
    _set_handlers(_stopped)
    show = sys.unraisablehook
    sys.unraisablehook = partial(_unraisable, show)
    # Loading a model and its libraries makes many objects that live on: collecting garbage among them
    # again and again, and once more at the end, takes a fifth of a second.
    gc.set_threshold(100_000, 50, 50)
    with warnings.catch_warnings():
        warnings.simplefilter("always", DataWarning)
        warnings.showwarning = _show_warning
        try:
            _run(arguments)
        finally:
            if arguments is None:
                # What is left goes with the process. A program that calls this again and again needs it collected.
                gc.freeze()
                # All is written or removed. Raised while Python ends, `SystemExit` would be shown as a traceback.
                _set_handlers(signal.SIG_DFL)


def _set_handlers(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)


def _run(arguments: Sequence[str] | None) -> None:
    try:
        try:
            # On Windows, Typer would take a text like "*.docx" or "$USER" for a pattern or a variable.
            app(args=arguments, windows_expand_args=False)
        finally:
            # Now, because an error at the end of the process could not be told.
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has enough.
        sys.exit(1)
    except OutsortError as error:
        typer.echo(f"outsort: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"outsort: {where}{error.strerror or error}.", err=True)
        sys.exit(1)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning about the data as one line on stderr, and others as Python does."""
    if issubclass(category, DataWarning):
        typer.echo(str(message), err=True)
    else:
        (file or sys.stderr).write(warnings.formatwarning(message, category, filename, lineno, line))


def _stopped(number: int, frame: FrameType | None) -> None:
    """Exit with the code a shell expects of a process ended by a signal: 130, 143.

    LLVM calls back into Python while it loads code. An exception raised there is lost, and LLVM goes on
    with half an answer until it crashes: so the signal is sent again until no such call is running.
    """
    while frame:
        if frame.f_globals.get("__name__", "").startswith("llvmlite."):
            _send_again(number)
            return
        frame = frame.f_back
    sys.exit(128 + number)


def _unraisable(show: Callable[[sys.UnraisableHookArgs], object], lost: sys.UnraisableHookArgs) -> None:
    """Send a signal again whose exit was lost; show any other exception that could not be raised.

    In a finaliser or the callback of a weak reference, as Python's own locks of imports have one, an exception is
    shown and forgotten.
    """
    if isinstance(lost.exc_value, SystemExit) and lost.exc_value.code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        _send_again(lost.exc_value.code - 128)
    else:
        show(lost)


def _send_again(number: int) -> None:
    # `signal.raise_signal` is the timer's thread's own affair: the main thread would sleep on.
    send = partial(os.kill, os.getpid()) if os.name == "posix" else signal.raise_signal
    later = threading.Timer(0.01, send, [number])
    later.daemon = True
    later.start()
