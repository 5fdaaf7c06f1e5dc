"""The service: answers over HTTP, whole files scored, and the page that asks for both."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from importlib.resources import files
from pathlib import Path  # noqa: TC003 - FastAPI reads the annotations
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated, Any, Literal

import uvicorn
from fastapi import Depends, FastAPI, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException as AnyHTTPException

from outsort._version import __version__
from outsort.data.identity import key_of
from outsort.decision import threshold_of
from outsort.errors import ServiceError
from outsort.labels import LABELS
from outsort.prediction import explanation_record, predict_explained, record
from outsort.scoring import files as scoring_files
from outsort.scoring import scorer
from outsort.service import uploads
from outsort.service.guard import Guard, Settings, busy, is_local, log, problem, too_slow
from outsort.service.protocol import Protocol
from outsort.service.schemas import (
    EXAMPLES,
    FILE_ANSWER,
    FILE_QUESTION,
    MAX_CHARACTERS,
    MAX_TEXTS,
    About,
    Answers,
    Column,
    Encoding,
    FormatName,
    Health,
    P,
    Problem,
    Question,
    T,
    problems,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.types import Lifespan

    from outsort.model import Model

#: Service lines that an explained answer names, likeliest first.
N_LINES = 10
#: The environment variable that holds the token, and how long one is at least.
TOKEN_NAME, MIN_TOKEN = "OUTSORT_TOKEN", 16
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Pool:
    """Threads that work off what is asked of them, and a queue of bounded length before them."""

    def __init__(self, n_threads: int, max_waiting: int) -> None:
        """Start no thread yet."""
        self._executor = ThreadPoolExecutor(n_threads)
        self._limit = n_threads + max_waiting
        self._n_pending = 0

    async def run(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a task returns.

        Raises:
            HTTPException: the queue is full; and whatever the task raises.
        """
        if self._n_pending >= self._limit:
            raise busy()
        self._n_pending += 1
        try:
            return await asyncio.wrap_future(self._executor.submit(task, *args, **kwargs))
        finally:
            self._n_pending -= 1

    def close(self) -> None:
        """Take no more."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def answer(model: Model, text: str, *, explain: bool = False) -> dict[str, Any]:
    """Return the answer for one text as plain values; see `Answer`."""
    prediction, explanation = predict_explained(model, text)
    if not explain:
        return {"key": key_of(text)} | record(prediction)
    explained = explanation_record(prediction, explanation, [], n_lines=N_LINES)
    del explained["precedents"]
    return {"key": key_of(text)} | explained


def create_app(
    model: Model, settings: Settings | None = None, answering: Callable[..., dict[str, Any]] = answer
) -> FastAPI:
    """Return the service around a model, an ASGI application.

    Args:
        model: the model to ask.
        settings: what it allows; `Settings()` when None.
        answering: how one text is answered, as `answer` does; another classifier may stand here.
    """
    settings = settings or Settings()
    texts_pool = Pool(settings.workers, settings.max_waiting)
    files_pool = Pool(settings.workers, settings.max_waiting // 4)
    # A scorer is one thread's at a time.
    scorers: SimpleQueue[scorer.Scorer] = SimpleQueue()
    for _ in range(settings.workers):
        scorers.put(_warm(scorer.Scorer(model, workers=1)))
    app = FastAPI(
        title="outsort",
        version=__version__,
        summary="Sorts descriptions of work into BPO (procedure, volume) or KPO (expertise, judgement).",
        docs_url=None,
        redoc_url=None,
        lifespan=_closing(texts_pool, files_pool),
        exception_handlers={AnyHTTPException: _refused, RequestValidationError: _invalid},
    )
    # The guard asks for the token, before the body is read; this says so in the description.
    secured = [Security(HTTPBearer(auto_error=False))] if settings.token else []
    app.add_middleware(Guard, settings=settings)
    example = json.loads(_answers(model, Question(texts=EXAMPLES), settings.upload_seconds, answer))

    @app.post(
        "/predict",
        response_model=Answers,
        dependencies=secured,
        responses={
            200: {"content": {"application/json": {"example": example}}},
            **problems(400, 401, 403, 408, 413, 421, 422, 503),
        },
        summary="Answer some texts",
    )
    async def predict(question: Question) -> Response:
        """Say BPO or KPO for each text, how likely, and why; each as `outsort predict` says it."""
        content = await texts_pool.run(_answers, model, question, settings.answer_seconds, answering)
        return Response(content, media_type="application/json")

    @app.post(
        "/score",
        dependencies=secured,
        response_class=StreamingResponse,
        responses={200: FILE_ANSWER, **problems(400, 401, 403, 408, 413, 415, 421, 422, 503)},
        openapi_extra={"requestBody": FILE_QUESTION},
        summary="Answer every row of a file",
    )
    async def score(
        request: Request,
        folder: Annotated[Path, Depends(uploads.workspace)],
        filename: Annotated[str, Query(max_length=255, description="Tells the format by its end.")] = "",
        read_as: Annotated[FormatName | None, Query(alias="from", description="Format of the file.")] = None,
        write_as: Annotated[FormatName | None, Query(alias="to", description="Format of the answer.")] = None,
        text_column: Annotated[
            list[Column], Query(max_length=20, description="Column of texts; several are joined.")
        ] = [],  # noqa: B006 - FastAPI makes a new one for each request
        prefix: Annotated[str | None, Query(max_length=50, description="Of the new columns' names.")] = None,
        sheet: Annotated[str | None, Query(max_length=100, description="Sheet of a workbook.")] = None,
        encoding: Annotated[Encoding | None, Query(description="Of CSV; found when left out.")] = None,
        on_error: Annotated[
            Literal["stop", "keep"], Query(description="At a row that cannot be read.")
        ] = "stop",
    ) -> Response:
        """Answer every row of a CSV, TSV, JSON lines, Parquet or Excel file, packed or not.

        The file is the body, or the part `file` of a form. All columns pass through as they are; the
        answer's come behind them.
        """
        file = await uploads.receive(request, folder, filename, read_as)
        options = scoring_files.Options(
            text_columns=text_column,
            prefix=prefix,
            keep=on_error == "keep",
            read_as=file.style.name,
            write_as=write_as,
            encoding=encoding,
            sheet=sheet,
        )
        output, layout = await files_pool.run(uploads.score, file, options, scorers, settings)
        return uploads.stream(output, file, layout)

    @app.get(
        "/model", dependencies=secured, responses=problems(401, 403, 421, 503), summary="Describe the model"
    )
    async def describe() -> About:
        """Say what the model knows, where it comes from and what the service allows."""
        lines = {
            label: sorted(model.lines[i] for i in model.lines_of(label)) if model.has_lines else []
            for label in LABELS
            if label in model.line_labels
        }
        return About(
            outsort=__version__,
            model=model.fingerprint,
            threshold=threshold_of(model),
            terms=len(model.terms),
            service_lines=lines,
            data=model.about.get("data", {}),
            scores=model.about.get("scores", {}),
            limits={
                "texts": MAX_TEXTS,
                "characters": MAX_CHARACTERS,
                "body": settings.max_body,
                "file": settings.max_file,
            },
        )

    @app.get("/health", responses=problems(421), summary="Say that it runs")
    async def health() -> Health:
        """Answer while the service runs."""
        return Health()

    for path, (name, media_type) in _PAGE.items():
        content = files("outsort.service").joinpath("page", name).read_bytes()
        app.add_api_route(path, _sending(content, media_type), include_in_schema=False)
    # What errors look like stands in no route's answer, and so in the description only if put there.
    app.openapi()["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    return app


def serve(model: Model, host: str = "127.0.0.1", port: int = 8000, token: str | None = None) -> None:
    """Serve until told to stop, then finish what is being answered.

    Args:
        model: the model to ask.
        host: the name or address to listen at.
        port: the port; 0 for any that is free.
        token: what clients must show, `MIN_TOKEN` characters or more; None for nothing, on this machine only.

    Raises:
        ServiceError: there is no token where one is needed, or the port is taken.
    """
    if token is None and not is_local(host):
        raise ServiceError(
            f"{host}: others can reach this address. Set a token in the environment variable {TOKEN_NAME}."
        )
    if token is not None and not re.fullmatch(rf"[!-~]{{{MIN_TOKEN},}}", token):
        raise ServiceError(
            f"{TOKEN_NAME}: is no good token. Use {MIN_TOKEN} or more letters, digits and marks, no spaces."
        )
    settings = Settings(token=token)
    with closing(listen(host, port)) as listener:
        server = server_of(create_app(model, settings), settings)
        logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        # It warns with characters of what was sent.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        shown = f"[{host}]" if ":" in host else host
        log.info("serving on http://%s:%d with model %s", shown, listener.getsockname()[1], model.fingerprint)
        server.run(sockets=[listener])


def server_of(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """Return a server for the service, whose `run` takes the sockets to listen at."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=4 * settings.max_requests,
            timeout_graceful_shutdown=int(settings.upload_seconds + settings.answer_seconds),
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ServiceError: the port is taken, or there is no such host.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServiceError(f"port {port} of {host}: is taken. Name another with --port.") from None
        raise ServiceError(f"port {port} of {host}: cannot be listened at ({error.strerror}).") from None


def _warm(scorer: scorer.Scorer) -> scorer.Scorer:
    """Let the kernel compile before the first file waits for it."""
    scorer.columns(["data entry"])
    return scorer


def _closing(*pools: Pool) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        for pool in pools:
            pool.close()

    return lifespan


def _sending(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})

    return send


async def _refused(_request: Request, error: Any) -> Response:  # noqa: ANN401 - an HTTPException of Starlette
    columns = getattr(error, "columns", None)
    members = {} if columns is None else {"columns": columns}
    return problem(error.status_code, str(error.detail), error.headers, **members)


async def _invalid(_request: Request, error: Any) -> Response:  # noqa: ANN401 - a RequestValidationError
    faults = error.errors()
    if faults[0]["type"] == "json_invalid":
        return problem(400, f"The body is no JSON: {faults[0]['ctx']['error']}.")
    # What was sent is left out: its sender has it, and it may be long.
    errors = [{"where": ".".join(map(str, fault["loc"])), "what": fault["msg"]} for fault in faults[:10]]
    detail = "; ".join(f"{error['where']}: {error['what']}" for error in errors[:3])
    return problem(422, f"The request cannot be used: {detail}.", errors=errors)


def _answers(
    model: Model, question: Question, seconds: float, answer: Callable[..., dict[str, Any]]
) -> bytes:
    end = time.monotonic() + seconds
    answers = []
    for text in question.texts:
        if time.monotonic() > end:
            raise too_slow(seconds)
        answers.append(answer(model, text, explain=question.explain))
    content = {"model": model.fingerprint, "answers": answers}
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
