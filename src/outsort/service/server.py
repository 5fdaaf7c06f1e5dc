"""The server's process: where it listens, its temporary files, and its end."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

import uvicorn

from outsort.errors import ServiceError
from outsort.service.guard import log

#: Prefix of the folder of temporary files, and the file in it that is locked while its service runs.
_PREFIX, _LOCK = "outsort-serve-", "lock"


class Server(uvicorn.Server):
    """uvicorn's server, which ends its process when the grace period is over, whatever is still running."""

    #: Called when requests are answered.
    on_ready: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, config: uvicorn.Config, grace_seconds: float, clean_up: Callable[[], None]) -> None:
        """Hold what to call before the process is ended."""
        super().__init__(config)
        self._grace_seconds, self._clean_up = grace_seconds, clean_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer requests."""
        await super().startup(sockets)
        self.on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish the requests in progress; when asked again by Ctrl+C, stop at once."""
        at_once = self.should_exit and sig == signal.SIGINT
        super().handle_exit(sig, frame)
        # A tenth of the time is left for cleaning up.
        timer = threading.Timer(0 if at_once else 0.9 * self._grace_seconds, self._end, [sig])
        timer.daemon = True
        timer.start()

    def _end(self, number: int) -> None:
        try:
            log.warning("ended with %d requests in progress", len(self.server_state.tasks))
            self._clean_up()
        finally:
            os._exit(128 + number)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ServiceError: the port is in use, or the address cannot be bound.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServiceError(f"{host}, port {port}: is already in use. Name another with --port.") from None
        raise ServiceError(f"{host}, port {port}: cannot bind ({error.strerror}).") from None


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Keep the temporary files of this process in one folder, and remove what killed services left of theirs."""
    _remove_abandoned()
    before, folder = tempfile.tempdir, Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Under its name only once it is locked: an unlocked one is abandoned.
    with (folder / "new").open("wb") as lock:
        _lock(lock)
        (folder / "new").rename(folder / _LOCK)
        tempfile.tempdir = str(folder)
        try:
            yield folder
        finally:
            tempfile.tempdir = before
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    """Remove this user's folders whose lock nobody holds: the system lets go of those of ended processes."""
    if sys.platform == "win32":
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if folder.lstat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("rb") as lock:
                _lock(lock)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # it is locked, or going
            continue


def _lock(file: IO[bytes]) -> None:
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
