"""Files that are being scored: how far each is, and an end for those that nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from outsort.service.schemas import T

if TYPE_CHECKING:
    from fastapi import Request


class Done(NamedTuple):
    """How far a job is: rows scored, and the fraction of the file read, 0 to 1."""

    rows: int = 0
    share: float = 0


class Job:
    """A file that is being scored.

    Attributes:
        done: how far it is.
        is_wanted: whether somebody waits for the result.
    """

    def __init__(self) -> None:
        """Start with nothing done."""
        self.done, self.is_wanted = Done(), True

    async def result(self, task: Awaitable[T], request: Request) -> T:
        """Wait for a task that works on this job; it is no longer wanted when the client of the request is gone."""
        working, gone = asyncio.ensure_future(task), asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
            self.is_wanted = working.done()
            return await working
        finally:
            gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class Jobs:
    """The jobs whose clients asked to be told how far they are."""

    def __init__(self) -> None:
        """Know of none."""
        self._jobs: dict[str, Job] = {}

    @contextmanager
    def job(self, name: str) -> Iterator[Job]:
        """Provide a job, known under the name that its client chose unless that is empty."""
        job = Job()
        if name:
            self._jobs[name] = job
        try:
            yield job
        finally:
            self._jobs.pop(name, None)

    def done(self, name: str) -> Done:
        """Return how far a job is; `Done()` for one that has not begun or is over."""
        job = self._jobs.get(name)
        return job.done if job else Done()
