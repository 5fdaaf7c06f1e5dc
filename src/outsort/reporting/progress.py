"""Progress on stderr, where that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from outsort.progress import watched
from outsort.reporting.layout import STYLES

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def rows_line(*, quiet: bool = False) -> Iterator[Callable[[int, float], None] | None]:
    """Show rows, rate and time left; yield what is called with rows and the share done, None where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    start = time.perf_counter()
    with _line() as shown:
        task = shown.add_task("", total=1.0)

        def update(rows: int, share: float) -> None:
            seconds = time.perf_counter() - start
            told = f"{rows:,} rows, {rows / seconds:,.0f} rows/s"
            shown.update(task, completed=share, description=_with_time_left(told, seconds, share))

        yield update


@contextmanager
def steps_line(*, quiet: bool = False) -> Iterator[None]:
    """Show what work of this context tells of its steps: see `outsort.progress`."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    with _line() as shown:
        task = shown.add_task("", total=None)
        step, start = "", time.perf_counter()

        def update(what: str, done: int, total: int) -> None:
            nonlocal step, start
            now, is_new = time.perf_counter(), what != step
            if is_new:
                step, start = what, now
            share = done / total if total else 0.0
            told = what if total == 1 else f"{what} {done:,} of {total:,}" if total else f"{what} {done:,}"
            # One long step has no length to show.
            length = total if total > 1 else None
            told = _with_time_left(told, now - start, share)
            # A step is seen as soon as it begins, however soon it ends.
            shown.update(task, total=length, completed=done, description=told, refresh=is_new)

        with watched(update):
            yield


@contextmanager
def _line() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.theme import Theme

    columns = (BarColumn(bar_width=20), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, theme=Theme(STYLES)), transient=True) as shown:
        yield shown


def _with_time_left(told: str, seconds: float, share: float) -> str:
    """Say what is told and how long the rest takes, if that is as fast.

    >>> _with_time_left("fold 3 of 16", 9.0, 3 / 16)
    'fold 3 of 16, 39 s left'
    """
    if not share:
        return told
    left = round(seconds * (1 - share) / share)
    return f"{told}, {left} s left" if left < 100 else f"{told}, {left // 60} min left"
