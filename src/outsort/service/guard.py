"""What stands before the service: who may ask, how much, how fast, and what leaves with every answer."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
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
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Paths that hold no secret and ask for no token: the page, and what it is made of.
OPEN = frozenset({"/", "/page.css", "/page.js", "/icon.svg", "/health", "/openapi.json"})
#: Seconds for which a client that sends too much is listened to, so that it hears the answer.
DRAIN_SECONDS = 5
#: Headers of every answer. The page takes nothing from elsewhere and nothing of it runs elsewhere.
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
class Settings:
    """What the service allows.

    Attributes:
        token: what a client must show as ``Authorization: Bearer``; None for no such thing.
        local_only: answer only who calls this machine by a name of its own, so that no web page elsewhere
            can ask by way of a name that it points here. Asked where there is no token.
        max_body: bytes of a request, at most; of a file see the next.
        max_file: bytes of a file, at most.
        max_unpacked: bytes of a packed file or a workbook once unpacked, at most.
        max_requests: requests at a time; more are told to come again.
        workers: threads that answer texts, and as many that score files.
        max_waiting: requests that wait for one of them, at most; of files a quarter as many.
        upload_seconds: how long a request may take to arrive.
        answer_seconds: how long an answer may take to make.
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


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **members: object
) -> Response:
    """Return an error as RFC 9457 has it: what went wrong, in words for the person who has to mend it."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    # Escaped throughout: a name that the sender gave may hold what is no UTF-8.
    return Response(
        json.dumps(content | members), status, dict(headers or {}), media_type="application/problem+json"
    )


def is_local(host: str) -> bool:
    """Tell whether a name or address is one of this machine alone.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("0.0.0.0")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Lets through to an application what keeps to its `Settings`, and logs what came of it, never texts."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        """Stand before `app`."""
        self._app, self._settings = app, settings
        self._n_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, if it may come in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        status = 0

        async def noted(message: Message) -> None:
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
            await self._answer(scope, receive, noted)
        except ClientDisconnect:
            status = status or 499
        except Exception as error:  # noqa: BLE001 - whatever it is, its message may hold a text, and stays here
            where = error.__traceback__
            while where and where.tb_next:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
            log.error("%s at %s", type(error).__name__, place)
            if status:
                raise _AnswerCutError from None
            await problem(500, "The service made a mistake; its log says where.")(scope, receive, noted)
        finally:
            self._n_requests -= 1
            # A path that is none of ours may be a text as well.
            path = getattr(scope.get("route"), "path", "(elsewhere)")
            log.info("%s %s %d %.0f ms", scope["method"], path, status, 1000 * (time.monotonic() - begun))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        limit = self._settings.max_file if scope["path"] == "/score" else self._settings.max_body
        bounded = _Bounded(receive, limit, self._settings.upload_seconds)
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
            detail = "Ask this service by the name localhost or 127.0.0.1, or start it with a token."
            return HTTPException(421, detail, {"connection": "close"})
        if path in OPEN:
            return None
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            # A page elsewhere could not read the answer, but could make a person's browser ask for many.
            detail = "A browser may ask from this service's own page only."
            return HTTPException(403, detail, {"connection": "close"})
        if self._n_requests > settings.max_requests:
            return busy()
        given = headers.get("authorization", "").encode()
        if settings.token and not hmac.compare_digest(given, f"Bearer {settings.token}".encode()):
            detail = "Send the token of this service in the header Authorization, as 'Bearer TOKEN'."
            return HTTPException(401, detail, {"www-authenticate": "Bearer", "connection": "close"})
        return None


class _AnswerCutError(Exception):
    """An answer broke off in the middle: the connection must, too."""


class _Bounded:
    """The body of a request, which ends in an error where it is too long or too slow."""

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
        """Listen to the rest for a while: who is cut off in the middle of a word hears no answer."""
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
    """Return what to answer to more bytes than `limit`."""
    detail = f"The request is larger than {limit:,} bytes. Send it in parts."
    return HTTPException(413, detail, {"connection": "close"})


def too_slow(seconds: float) -> HTTPException:
    """Return what to answer to what takes longer than `seconds`."""
    return HTTPException(413, f"The answer takes longer than {seconds:g} seconds to make. Ask in parts.")


def busy() -> HTTPException:
    """Return what to answer when there is more to do than can wait."""
    return HTTPException(503, "The service is busy. Ask again in a second.", {"retry-after": "1"})


def _host(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
