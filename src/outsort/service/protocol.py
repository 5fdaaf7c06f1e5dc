"""HTTP/1.1 with time limits on slow clients."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio


class Protocol(H11Protocol):
    """HTTP that hangs up on a client that takes too long to say what it wants, or to take the answer.

    uvicorn waits for both without end, and such a client costs its sender nothing.
    """

    seconds = 20.0
    _asking: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Wait for a request, for a while."""
        super().connection_made(transport)
        # Head and body of an answer are written one after the other: the body must not wait until the
        # client, 40 ms later, owns to having the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._asking = self._hang_up_later()

    def data_received(self, data: bytes) -> None:
        """Take what comes; the time for the head of a request is up when its body begins."""
        super().data_received(data)
        at_work = self.cycle is not None and not self.cycle.response_complete
        if at_work or self._asking is None:
            self._asking = _stop(self._asking) if at_work else self._hang_up_later()

    def pause_writing(self) -> None:
        """Wait for the client to read, for a while."""
        super().pause_writing()
        self._taking = self._hang_up_later()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._taking = _stop(self._taking)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._asking, self._taking = _stop(self._asking), _stop(self._taking)
        super().connection_lost(exc)

    def _hang_up_later(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.seconds, self.transport.abort)


def _stop(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
