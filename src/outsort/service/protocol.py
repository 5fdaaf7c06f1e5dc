"""HTTP/1.1 with time limits on slow clients."""

import asyncio
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol


class Protocol(H11Protocol):
    """HTTP that closes the connection if a client is too slow to send a request or to read the response.

    uvicorn waits for both without limit, so idle connections would be a cheap attack.
    """

    seconds = 20.0
    _request_timer: asyncio.TimerHandle | None = None
    _response_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start to wait for a request."""
        super().connection_made(transport)
        # Head and body of a response are written separately: without this the body would wait, for 40 ms,
        # until the client acknowledges the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request_timer = self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Receive data; the time limit applies until the head of a request is complete."""
        super().data_received(data)
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if is_busy or self._request_timer is None:
            self._request_timer = _cancel(self._request_timer) if is_busy else self._start_timer()

    def pause_writing(self) -> None:
        """Start to wait for the client to read."""
        super().pause_writing()
        self._response_timer = self._start_timer()

    def resume_writing(self) -> None:
        """Stop waiting for the client to read."""
        super().resume_writing()
        self._response_timer = _cancel(self._response_timer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        self._request_timer, self._response_timer = (_cancel(self._request_timer), _cancel(self._response_timer))
        super().connection_lost(exc)

    def _start_timer(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self.seconds, self.transport.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
