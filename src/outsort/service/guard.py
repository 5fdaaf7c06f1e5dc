"""Access control, limits, security headers and request logs of the service."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files
from ipaddress import ip_address
from typing import TYPE_CHECKING

from fastapi import HTTPException
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

from outsort.service.settings import ServiceSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Paths that need no token: the page and its parts, which contain no secrets.
SCRIPTS = (
    "document.js",
    *sorted(part.name for part in (files("outsort.service") / "page").iterdir() if part.name.endswith(".js")),
)
STYLES = ("page.css", "document.css")
OPEN = frozenset({"/", "/icon.svg", "/health", "/openapi.json", *(f"/{name}" for name in (*SCRIPTS, *STYLES))})
#: Seconds to go on reading from a client that sends too much, so that it gets to read the response.
DRAIN_SECONDS = 5
#: Headers of every response. The page loads nothing from other origins and cannot be embedded in them.
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
#: A Host header: a name or an address, and a port; group 1 is the name, group 2 an IPv6 address.
_HOST = re.compile(r"(?:([\w.-]+)|\[([0-9a-fA-F:.]+)\])(?::\d*)?", re.ASCII)
log = logging.getLogger("outsort.service")


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: object) -> Response:
    """Return an error response in the format of RFC 9457; `detail` says what went wrong and how to fix it."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    # In ASCII: a file name from the client may contain what is not valid UTF-8.
    return Response(json.dumps(content | members), status, dict(headers or {}), media_type="application/problem+json")


def is_local(host: str) -> bool:
    """Return whether a host name or address is a loopback one.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Middleware that enforces `ServiceSettings` and logs requests, but never texts."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        """Wrap `app`."""
        self._app, self._settings = app, settings
        self._intake = _Intake(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.monotonic()
        status = 0
        # The server leaves out the body of the response to a HEAD request.
        method = scope["method"]
        scope = {**scope, "method": "GET"} if method == "HEAD" else scope
        body = self._body_of(scope, receive)

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            await self._answer(scope, body, send_noted)
        except ClientDisconnect:
            status = status or 499
        except Exception as error:  # noqa: BLE001 - its message may contain a text, so it must not get out
            log.error("%s", described(error))
            if status:
                raise _BrokenResponseError from None
            await problem(500, "Internal error; see the log of the service.")(scope, receive, send_noted)
        finally:
            self._intake.leave(body)
            # An unknown path could contain a text.
            path = getattr(scope.get("route"), "path", "(unknown)")
            log.info("%s %s %d %.0f ms", method, path, status, 1000 * (time.monotonic() - start))

    def _body_of(self, scope: Scope, receive: Receive) -> _Body:
        settings = self._settings
        limit = settings.max_file if scope["path"] == "/score" else settings.max_body
        return _Body(receive, limit, settings.upload_seconds, self._intake)

    async def _answer(self, scope: Scope, body: _Body, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(scope["path"], headers)
        length = headers.get("content-length", "0")[:20]
        if refusal is None and length.isdecimal() and int(length) > body.limit:
            refusal = too_large(body.limit)
        if refusal is None:
            await self._app(scope, body, send)
            return
        if headers.get("expect", "").lower() != "100-continue":
            await body.drain()
        answer = problem(refusal.status_code, refusal.detail, refusal.headers)
        await answer(scope, body, send)

    def _refusal(self, path: str, headers: Headers) -> HTTPException | None:
        token, host = self._settings.token, headers.get("host", "")
        if not token and not is_local(_name(host)):
            detail = "Address this service as localhost or 127.0.0.1, or start it with a token."
            return HTTPException(421, detail, {"connection": "close"})
        if path in OPEN:
            return None
        if _is_of_another_page(headers, host):
            # Another site's page could not read the response, but could make a browser send many requests.
            detail = "Browsers may send requests from this service's own page only."
            return HTTPException(403, detail, {"connection": "close"})
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if token and not (scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())):
            detail = "Send this service's token in the Authorization header, as 'Bearer TOKEN'."
            return HTTPException(401, detail, {"www-authenticate": "Bearer", "connection": "close"})
        return None


class _BrokenResponseError(Exception):
    """A response failed half-way; raised so that the server closes the connection."""


class _Intake:
    """The bodies that are arriving, and the requests whose body has arrived."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._max_requests = settings.max_requests
        #: Bytes that are kept for requests of which not all has arrived.
        self._room = max(settings.max_requests * settings.max_body, 2 * settings.max_file)
        self._arriving: dict[_Body, int] = {}
        self._n_whole = 0

    def note(self, body: _Body) -> None:
        """Note that more of a body has arrived.

        Slow clients take no place among the requests that are worked on. Nor can they take all the room:
        when it is used up, those that hold more than the others get no more.

        Raises:
            HTTPException: there are too many requests, or too much of them.
        """
        if body.is_whole:
            self._arriving.pop(body, None)
            if self._n_whole >= self._max_requests:
                raise busy()
            self._n_whole += 1
            body.is_counted = True
            return
        self._arriving[body] = body.size
        total = sum(self._arriving.values())
        if total > self._room and body.size * len(self._arriving) >= total:
            raise busy()

    def leave(self, body: _Body) -> None:
        """Note that a request has been answered."""
        self._arriving.pop(body, None)
        self._n_whole -= body.is_counted


class _Body:
    """The body of a request; reading it raises an error if it is too large or too slow, or the service busy.

    Attributes:
        limit: its limit in bytes.
        size: bytes that have arrived.
        is_whole: whether all has arrived.
        is_counted: whether it is one of the requests that are worked on.
    """

    def __init__(self, receive: Receive, limit: int, seconds: float, intake: _Intake) -> None:
        self._receive, self.limit, self._intake = receive, limit, intake
        self.size = 0
        self.is_whole = self.is_counted = False
        self._seconds = seconds
        self._end = asyncio.get_running_loop().time() + seconds

    async def __call__(self) -> Message:
        if self.is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError:
            detail = f"The request did not arrive within {self._seconds:g} seconds. Send less, or faster."
            raise HTTPException(408, detail, {"connection": "close"}) from None
        self._note(message)
        if self.size > self.limit:
            await self.drain()
            raise too_large(self.limit)
        self._intake.note(self)
        return message

    async def drain(self) -> None:
        """Read the rest for a while: a client that is cut off while sending would not read the response."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.is_whole:
                    self._note(await self._receive())
        except TimeoutError:
            pass

    def _note(self, message: Message) -> None:
        self.size += len(message.get("body", b""))
        self.is_whole = message["type"] == "http.disconnect" or not message.get("more_body", False)


def too_large(limit: int) -> HTTPException:
    """Return the error for a request of more than `limit` bytes."""
    detail = f"The request is larger than {limit:,} bytes. Send it in parts."
    return HTTPException(413, detail, {"connection": "close"})


def too_slow(seconds: float) -> HTTPException:
    """Return the error for a request that takes longer than `seconds` to answer."""
    return HTTPException(413, f"Answering takes longer than {seconds:g} seconds. Send the request in parts.")


def busy() -> HTTPException:
    """Return the error for a full queue."""
    return HTTPException(503, "The service is busy. Try again in a second.", {"retry-after": "1"})


def described(error: BaseException) -> str:
    """Return what an error is and where it was raised, without its message, which may contain a text."""
    if isinstance(error, TaskError):
        return str(error)
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
    return f"{type(error).__name__} at {place}"


class TaskError(Exception):
    """An error in another process, as `described` there."""


def _name(host: str) -> str:
    """Return the name or address in a Host header, "" if it is no such header."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]) if found else ""


def _is_of_another_page(headers: Headers, host: str) -> bool:
    """Return whether a browser says that a page of another origin made it send the request."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is not None:
        # Browsers send the former to HTTPS and to this machine only.
        return origin.lower() not in (f"http://{host.lower()}", f"https://{host.lower()}")
    return site in ("cross-site", "same-site")
