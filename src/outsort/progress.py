"""Progress of long work, reported to whoever watches it.

>>> with watched(print):
...     tell("fold", 0, 16)
fold 0 16
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import joblib

#: Called with what is worked on, such as "fold"; how many are done; and how many there are, 0 where that is unknown.
Watcher = Callable[[str, int, int], None]

T = TypeVar("T")
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(watcher: Watcher | None) -> Iterator[None]:
    """Call `watcher` at each step of the work done in this context; None for silence."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell(what: str, done: int = 0, total: int = 1) -> None:
    """Report that `done` of `total` are done; `total` is 0 where that is unknown."""
    watcher = _watcher.get()
    if watcher:
        watcher(what, done, total)


def each(what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Yield items, and report each one once it is done."""
    tell(what, 0, total)
    for n, item in enumerate(items, 1):
        yield item
        tell(what, n, total)


def in_parallel(what: str, tasks: Sequence[Any], sizes: Sequence[int] | None = None, **options: Any) -> list[Any]:  # noqa: ANN401 - joblib's
    """Run joblib tasks, and report each one as it ends.

    Args:
        what: what a task, or its parts, are called.
        tasks: the n_tasks tasks, as `joblib.delayed` makes them.
        sizes: the parts of each task; one each when None.
        options: those of `joblib.Parallel`.

    Returns:
        The n_tasks results, in the order of the tasks.
    """
    sizes = [1] * len(tasks) if sizes is None else sizes
    total, done = sum(sizes), 0
    results: list[Any] = [None] * len(tasks)
    tell(what, 0, total)
    # Arguments stay arguments: a cluster sends large ones to each worker once.
    numbered = (joblib.delayed(_numbered)(i, task, *args, **named) for i, (task, args, named) in enumerate(tasks))
    for i, result in joblib.Parallel(return_as="generator_unordered", **options)(numbered):
        results[i] = result
        done += sizes[i]
        tell(what, done, total)
    return results


def _numbered(i: int, task: Callable[..., Any], *args: Any, **named: Any) -> tuple[int, Any]:  # noqa: ANN401
    return i, task(*args, **named)
