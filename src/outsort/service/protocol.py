"""HTTP/1.1 with time limits on slow clients."""

import asyncio
import socket
from math import inf
from operator import attrgetter

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from outsort.service.guard import HEADERS, problem


class Protocol(H11Protocol):
    """HTTP that closes the connection if a client is too slow to send a request or to read the response.

    uvicorn waits for both without limit, so idle connections would be a cheap attack.
    """

    seconds = 20.0
    #: Limit of connections. One more, and the client that has been sending a request for longest is disconnected.
    limit = 512
    _request_timer: asyncio.TimerHandle | None = None
    _response_timer: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start to wait for a request."""
        super().connection_made(transport)
        # Head and body of a response are written separately: without this the body would wait, for 40 ms,
        # until the client acknowledges the head.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._since = self.loop.time()
        self._request_timer = self._start_timer()
        if len(self.connections) > self.limit:
            min(self.connections, key=attrgetter("sending_since")).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Receive data; the time limit applies until the head of a request is complete."""
        super().data_received(data)
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if is_busy or self._request_timer is None:
            self._request_timer = _cancel(self._request_timer) if is_busy else self._start_timer()

    def on_response_complete(self) -> None:
        """Start to wait for the next request."""
        self._since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, unless it comes while another request is being answered."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            response = problem(400, msg, {**HEADERS, "connection": "close"})
            head = h11.Response(status_code=400, headers=response.raw_headers, reason=b"Bad Request")
            for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @property
    def sending_since(self) -> float:
        """When the client began to send what it is still sending; infinity if it waits for a response."""
        waits = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        return inf if waits else self._since

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
