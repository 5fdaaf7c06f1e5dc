"""Processes that score files, and are ended when they take too long or too much memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

from fastapi import HTTPException

from outsort.model import Model
from outsort.scoring import files  # noqa: F401 - loaded once, for all processes
from outsort.scoring.scorer import Scorer
from outsort.service.guard import TaskError, described, log, too_slow
from outsort.service.schemas import T
from outsort.service.settings import ServiceSettings

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: Forked, where the system can, from a process that has loaded the libraries, but runs no threads.
_CONTEXT: Any = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
)


class Workers:
    """Processes that each run one task at a time with a scorer; any that has to be ended is replaced."""

    def __init__(self, model: Model, settings: ServiceSettings) -> None:
        """Start the processes; they get ready by themselves."""
        if _CONTEXT.get_start_method() == "forkserver":
            _CONTEXT.set_forkserver_preload([__name__])
        self._seconds = settings.answer_seconds
        self._workers = [_Worker(model, settings.memory) for _ in range(settings.workers)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def run(self, task: Callable[[Scorer], T]) -> T:
        """Run a task, which can be pickled, as can its result, and return this.

        Raises:
            HTTPException: it takes too much time or memory, or raised this itself.
            TaskError: it raised anything else.
        """
        worker = self._idle.get()
        try:
            return worker.run(task, self._seconds)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End all processes, whatever they do."""
        for worker in self._workers:
            worker.close()


class _Worker:
    def __init__(self, model: Model, memory: int) -> None:
        self._model, self._memory = model, memory
        self._lock, self._closed = threading.Lock(), False
        self._start()

    def _start(self) -> None:
        self._connection, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_work, args=(theirs, self._model, self._memory))
        self._process.start()
        theirs.close()

    def run(self, task: Callable[[Scorer], T], seconds: float) -> T:
        try:
            self._connection.send(task)
            if not self._connection.poll(seconds):
                raise too_slow(seconds)
            result = self._connection.recv()
        except HTTPException:
            self._replace()
            raise
        except (EOFError, OSError):
            self._replace()
            raise _too_big(self._memory) from None
        if isinstance(result, Exception):
            raise result
        return cast("T", result)

    def _replace(self) -> None:
        with self._lock:
            self._end()
            if not self._closed:
                self._start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()
        if not self._closed:
            log.warning("replaced a process that scored a file; its exit code was %s", self._process.exitcode)


def _too_big(memory: int) -> HTTPException:
    return HTTPException(413, f"Scoring the file takes more than {memory:,} bytes of memory. Send it in parts.")


def _work(connection: Connection, model: Model, memory: int) -> None:
    """Run the tasks that arrive, until there are no more."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # A terminal and a service manager send these to all processes: the service itself decides when to end.
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory(memory)
    scorer = Scorer(model, workers=1)
    # Compiled code is loaded when it is first called.
    scorer.columns(["data entry"])
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_outcome(task, scorer))


def _outcome(task: Callable[[Scorer], object], scorer: Scorer) -> object:
    try:
        return task(scorer)
    except HTTPException as error:
        return error
    except MemoryError:
        # What else is broken is not known.
        os._exit(1)
    except Exception as error:  # noqa: BLE001 - the service logs it
        return TaskError(described(error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _limit_memory(memory: int) -> None:
    # Elsewhere such a limit does not exist, or is not kept.
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
