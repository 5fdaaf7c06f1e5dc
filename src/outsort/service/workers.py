"""Processes that score files, and are ended when they take too long or too much memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias, cast

from fastapi import HTTPException
from starlette.requests import ClientDisconnect

from outsort.model import Model
from outsort.rules.rule import Rules
from outsort.scoring.scorer import Scorer
from outsort.service.guard import TaskError, described, log, too_slow
from outsort.service.jobs import Done, Job
from outsort.service.schemas import T
from outsort.service.settings import ServiceSettings
from outsort.taxonomy import Taxonomy

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

#: Started anew, as on every system: a fork would copy what the threads of the service have locked.
CONTEXT = multiprocessing.get_context("spawn")
#: Seconds between looks at whether a task is still wanted, and between what a process tells of it.
_CHECK_SECONDS, _TELL_SECONDS = 0.2, 0.3
#: The most seconds that a process may take to start: on a busy machine, its libraries load slowly.
_START_SECONDS = 120
#: A task gets the scorer, and what to tell rows done and the fraction of the file read.
Task: TypeAlias = Callable[[Scorer, Callable[[int, float], None]], T]


class Workers:
    """Processes that each run one task at a time with a scorer; any that has to be ended is replaced."""

    def __init__(
        self, model: Model, settings: ServiceSettings, taxonomy: Taxonomy | None = None, rules: Rules | None = None
    ) -> None:
        """Start the processes, without waiting for them."""
        self._seconds = settings.answer_seconds
        self._workers = [_Worker(model, settings.memory, taxonomy, rules) for _ in range(settings.workers)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            threading.Thread(target=self._enlist, args=[worker], daemon=True).start()

    def _enlist(self, worker: _Worker) -> None:
        try:
            worker.start()
        finally:
            self._idle.put(worker)

    def run(self, task: Task[T], job: Job) -> T:
        """Run a task, which can be pickled, as can its result, and return this; `job` is told how far it is.

        Raises:
            ClientDisconnect: the job is no longer wanted.
            HTTPException: it takes too much time or memory, or raised this itself.
            TaskError: it raised anything else.
        """
        worker = self._idle.get()
        try:
            worker.start()
            return worker.run(task, self._seconds, job)
        finally:
            self._enlist(worker)

    def retire(self) -> None:
        """End each process once it has done what it works on."""

        def end() -> None:
            for worker in [self._idle.get() for _ in self._workers]:
                worker.close()
                # Whoever still waits for one is told to try again.
                self._idle.put(worker)

        threading.Thread(target=end, daemon=True).start()

    def close(self) -> None:
        """End all processes, whatever they do."""
        for worker in self._workers:
            worker.close()


class _Worker:
    def __init__(self, model: Model, memory: int, taxonomy: Taxonomy | None, rules: Rules | None) -> None:
        self._memory, self._made_from = memory, (model, memory, taxonomy, rules)
        self._lock, self._closed = threading.Lock(), False
        self._process: SpawnProcess | None = None

    def start(self) -> None:
        """Start the process, unless it is running or there are to be no more."""
        with self._lock:
            if self._process or self._closed:
                return
            self._connection, theirs = CONTEXT.Pipe()
            with theirs:
                process = CONTEXT.Process(target=_work, args=(theirs, *self._made_from))
                process.start()
            self._process = process

    def run(self, task: Task[T], seconds: float, job: Job) -> T:
        """Run a task; see `Workers.run`. Afterwards, the process may have to be started again."""
        try:
            self._connection.send(task)
            result = self._received(seconds, job)
            if result is None:
                self._end()
                raise too_slow(seconds) if job.is_wanted else ClientDisconnect
        except (EOFError, OSError):
            self._end()
            raise _stopping() if self._closed else _too_big(self._memory) from None
        if isinstance(result, Exception):
            raise result
        return cast("T", result)

    def _received(self, seconds: float, job: Job) -> object:
        """Return the outcome of a task; None if it is no longer wanted, does not begin, or takes longer once it has."""
        end = time.monotonic() + _START_SECONDS + seconds
        while job.is_wanted and (left := end - time.monotonic()) > 0:
            if self._connection.poll(min(left, _CHECK_SECONDS)):
                result = self._connection.recv()
                if not isinstance(result, Done):
                    return result
                job.done = result
                end = min(end, time.monotonic() + seconds)
        return None

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        with self._lock:
            if not self._process:
                return
            self._process.kill()
            self._process.join()
            if not self._closed:
                log.warning("ended a process that scored a file; its exit code was %s", self._process.exitcode)
            self._process = None
            self._connection.close()


def _stopping() -> HTTPException:
    return HTTPException(503, "The service is stopping. Try again later.")


def _too_big(memory: int) -> HTTPException:
    return HTTPException(413, f"Scoring the file takes more than {memory:,} bytes of memory. Send it in parts.")


def _work(connection: Connection, model: Model, memory: int, taxonomy: Taxonomy | None, rules: Rules | None) -> None:
    """Run the tasks that arrive, until there are no more."""
    begin()
    _limit_memory(memory)
    scorer = Scorer(model, workers=1, taxonomy=taxonomy, rules=rules)
    # Compiled code is loaded when it is first called.
    scorer.columns(["data entry"])
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        # The task's time begins with the first of these: it does not count how long the process took to start.
        connection.send(Done())
        connection.send(_outcome(task, scorer, _teller(connection)))


def begin() -> None:
    """Prepare this process, which the service started: only the service ends it, and no warning is shown."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A terminal and a service manager send these to all processes: the service itself decides when to end.
        signal.signal(number, signal.SIG_IGN)
    # Warnings tell of a file's content, which nobody may log.
    warnings.simplefilter("ignore")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _teller(connection: Connection) -> Callable[[int, float], None]:
    """Return what sends how far a task is, every now and then."""
    last = time.monotonic()

    def tell(rows: int, share: float) -> None:
        nonlocal last
        if time.monotonic() - last > _TELL_SECONDS:
            last = time.monotonic()
            connection.send(Done(rows, share))

    return tell


def _outcome(task: Task[object], scorer: Scorer, tell: Callable[[int, float], None]) -> object:
    try:
        return task(scorer, tell)
    except HTTPException as error:
        return error
    except MemoryError:
        # What else is broken is not known.
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - the service logs it
        return TaskError(described(error))


def _limit_memory(memory: int) -> None:
    # Elsewhere such a limit does not exist, or is not kept.
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
