"""Access control, limits, security headers and request logs of the service."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import HTTPException
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Paths that need no token: the page and its parts, which contain no secrets.
SCRIPTS = ("page.js", "dom.js", "downloads.js", "list.js", "review.js", "service.js", "store.js")
OPEN = frozenset({"/", "/page.css", "/icon.svg", "/health", "/openapi.json", *(f"/{name}" for name in SCRIPTS)})
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
log = logging.getLogger("outsort.service")


@dataclass(frozen=True)
class ServiceSettings:
    """Limits and access settings of the service.

    Attributes:
        token: bearer token that clients must send; None for no authentication.
        local_only: without a token, answer only requests with a local Host header, to prevent DNS rebinding.
        max_body: size limit of a request, in bytes, except for files.
        max_file: size limit of a file, in bytes.
        max_unpacked: size limit of a compressed file or a workbook once decompressed, in bytes.
        max_requests: limit of concurrent requests; others get status 503.
        workers: threads that answer texts, and as many again that score files.
        max_waiting: limit of requests waiting for a thread; a quarter of it for files.
        upload_seconds: time limit for receiving a request.
        answer_seconds: time limit for computing an answer.
    """

    token: str | None = None
    local_only: bool = True
    max_body: int = 4 << 20
    max_file: int = 32 << 20
    max_unpacked: int = 128 << 20
    max_requests: int = 64
    workers: int = 2
    max_waiting: int = 32
    upload_seconds: float = 60
    answer_seconds: float = 60


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
        self._n_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.monotonic()
        status = 0

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        self._n_requests += 1
        try:
            await self._answer(scope, receive, send_noted)
        except ClientDisconnect:
            status = status or 499
        except Exception as error:  # noqa: BLE001 - its message may contain a text, so it must not get out
            where = error.__traceback__
            while where and where.tb_next:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
            log.error("%s at %s", type(error).__name__, place)
            if status:
                raise _BrokenResponseError from None
            await problem(500, "Internal error; see the log of the service.")(scope, receive, send_noted)
        finally:
            self._n_requests -= 1
            # An unknown path could contain a text.
            path = getattr(scope.get("route"), "path", "(unknown)")
            log.info("%s %s %d %.0f ms", scope["method"], path, status, 1000 * (time.monotonic() - start))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        limit = self._settings.max_file if scope["path"] == "/score" else self._settings.max_body
        bounded = _BoundedBody(receive, limit, self._settings.upload_seconds)
        refusal = self._refusal(scope["path"], headers)
        length = headers.get("content-length", "0")[:20]
        if refusal is None and length.isdecimal() and int(length) > limit:
            refusal = too_large(limit)
        if refusal is None:
            await self._app(scope, bounded, send)
            return
        if headers.get("expect", "").lower() != "100-continue":
            await bounded.drain()
        answer = problem(refusal.status_code, refusal.detail, refusal.headers)
        await answer(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> HTTPException | None:
        settings = self._settings
        if settings.local_only and not settings.token and not is_local(_host(headers.get("host", ""))):
            detail = "Address this service as localhost or 127.0.0.1, or start it with a token."
            return HTTPException(421, detail, {"connection": "close"})
        if path in OPEN:
            return None
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            # Another site's page could not read the response, but could make a browser send many requests.
            detail = "Browsers may send requests from this service's own page only."
            return HTTPException(403, detail, {"connection": "close"})
        if self._n_requests > settings.max_requests:
            return busy()
        given = headers.get("authorization", "").encode()
        if settings.token and not hmac.compare_digest(given, f"Bearer {settings.token}".encode()):
            detail = "Send this service's token in the Authorization header, as 'Bearer TOKEN'."
            return HTTPException(401, detail, {"www-authenticate": "Bearer", "connection": "close"})
        return None


class _BrokenResponseError(Exception):
    """A response failed half-way; raised so that the server closes the connection."""


class _BoundedBody:
    """The body of a request; reading it raises an error if it is too large or too slow."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive, self._limit = receive, limit
        self._size = 0
        self._seconds = seconds
        self._end = asyncio.get_running_loop().time() + seconds
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._end):
                message = await self._receive()
        except TimeoutError:
            detail = f"The request did not arrive within {self._seconds:g} seconds. Send less, or faster."
            raise HTTPException(408, detail, {"connection": "close"}) from None
        self._note(message)
        if self._size > self._limit:
            await self.drain()
            raise too_large(self._limit)
        return message

    async def drain(self) -> None:
        """Read the rest for a while: a client that is cut off while sending would not read the response."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._whole:
                    self._note(await self._receive())
        except TimeoutError:
            pass

    def _note(self, message: Message) -> None:
        self._size += len(message.get("body", b""))
        self._whole = message["type"] == "http.disconnect" or not message.get("more_body", False)


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


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
