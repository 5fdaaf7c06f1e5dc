"""The HTTP service: classify texts, score files, and serve the page that does both."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import Depends, FastAPI, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response, StreamingResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException as AnyHTTPException

from outsort._version import __version__
from outsort.data.identity import key_of
from outsort.errors import ServiceError, in_plain_words
from outsort.model import Model
from outsort.prediction import explanation_record, predict_explained, record
from outsort.rules.rule import Rules
from outsort.scoring import files as scoring_files
from outsort.service import uploads
from outsort.service.guard import SCRIPTS, STYLES, Guard, busy, is_local, log, problem, too_slow
from outsort.service.jobs import Jobs
from outsort.service.learning import LearnInto, add_routes, settings_for_learning
from outsort.service.protocol import Protocol
from outsort.service.schemas import (
    EXAMPLES,
    FILE_REQUEST,
    FILE_RESPONSE,
    TEXT_COLUMN,
    Column,
    Delimiter,
    Encoding,
    FormatName,
    Health,
    JobName,
    ModelInfo,
    P,
    PredictRequest,
    PredictResponse,
    Problem,
    Progress,
    T,
    TableName,
    problems,
)
from outsort.service.served import Served
from outsort.service.server import Server, listen, temporary_folder
from outsort.service.settings import ServiceSettings
from outsort.taxonomy import Taxonomy, with_categories

#: Number of service lines listed in an explained answer, most probable first.
N_LINES = 10
#: The environment variable that holds the token, and its least length.
TOKEN_NAME, MIN_TOKEN = "OUTSORT_TOKEN", 16
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    **{f"/{name}": (name, "text/css; charset=utf-8") for name in STYLES},
    **{f"/{name}": (name, "text/javascript; charset=utf-8") for name in SCRIPTS},
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class Pool:
    """A thread pool with a bounded queue."""

    def __init__(self, n_threads: int, max_waiting: int) -> None:
        """Create the pool without starting a thread."""
        self._executor = ThreadPoolExecutor(n_threads)
        self._limit = n_threads + max_waiting
        self._n_pending = 0

    async def run(self, task: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a task and return its result.

        Raises:
            HTTPException: the queue is full; the exceptions of the task are passed on.
        """
        if self._n_pending >= self._limit:
            raise busy()
        self._n_pending += 1
        try:
            return await asyncio.wrap_future(self._executor.submit(task, *args, **kwargs))
        finally:
            self._n_pending -= 1

    def close(self) -> None:
        """Cancel waiting tasks and accept no more."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def answer(
    model: Model, text: str, *, explain: bool = False, taxonomy: Taxonomy | None = None, rules: Rules | None = None
) -> dict[str, Any]:
    """Return the answer for one text as plain values; see `TextPrediction`."""
    prediction, explanation = predict_explained(model, text, rules=rules)
    if taxonomy:
        prediction = with_categories(prediction, explanation, model, taxonomy)
    if not explain:
        return {"key": key_of(text)} | record(prediction)
    explained = explanation_record(prediction, explanation, [], n_lines=N_LINES)
    del explained["precedents"]
    return {"key": key_of(text)} | explained


def create_app(
    model: Model,
    settings: ServiceSettings | None = None,
    answering: Callable[..., dict[str, Any]] = answer,
    taxonomy: Taxonomy | None = None,
    rules: Rules | None = None,
    learn_into: LearnInto | None = None,
) -> FastAPI:
    """Return the ASGI application that serves a model.

    Args:
        model: the model.
        settings: limits and access; `ServiceSettings()` if None.
        answering: the function that answers one text, like `answer`; replace it to serve another classifier.
        taxonomy: also answer with these categories, loaded for the same model.
        rules: let these rules decide before the model, loaded for it.
        learn_into: labelled data that the page may merge corrections into, to train a model that answers from then on.
    """
    settings = settings or ServiceSettings()
    served = Served(model, settings, taxonomy, rules, learn_into)
    more: dict[str, Any] = {"taxonomy": taxonomy, "rules": rules}
    if any(more.values()):
        answering = partial(answering, **more)
    texts_pool = Pool(settings.workers, settings.max_waiting)
    files_pool = Pool(settings.workers, settings.max_waiting // 4)
    jobs = Jobs()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        served.start()
        with closing(texts_pool), closing(files_pool), closing(served):
            yield

    app = FastAPI(
        title="outsort",
        version=__version__,
        summary="Classify texts by the labels that the model was trained on.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={AnyHTTPException: _http_error, RequestValidationError: _invalid},
    )
    # For OpenAPI only: the guard checks the token, before the body is read.
    secured = [Security(HTTPBearer(auto_error=False))] if settings.token else []
    app.add_middleware(Guard, settings=settings)
    app.state.served = served
    example = json.loads(_answer_all(model, PredictRequest(texts=EXAMPLES), settings.upload_seconds, answer))

    @app.post(
        "/predict",
        response_model=PredictResponse,
        dependencies=secured,
        responses={
            200: {"content": {"application/json": {"example": example}}},
            **problems(400, 401, 403, 408, 413, 421, 422, 503),
        },
        summary="Classify texts",
    )
    async def predict(request: PredictRequest) -> Response:
        """Classify each text, with the probability of every label and top terms, like `outsort predict`."""
        content = await texts_pool.run(_answer_all, served.model, request, settings.answer_seconds, answering)
        return Response(content, media_type="application/json")

    @app.post(
        "/score",
        dependencies=secured,
        response_class=StreamingResponse,
        responses={200: FILE_RESPONSE, **problems(400, 401, 403, 408, 413, 415, 421, 422, 503)},
        openapi_extra={"requestBody": FILE_REQUEST},
        summary="Score every row of a file",
    )
    async def score(
        request: Request,
        folder: Annotated[Path, Depends(uploads.workspace)],
        filename: Annotated[str, Query(max_length=255, description="File name; its suffix gives the format.")] = "",
        read_as: Annotated[FormatName | None, Query(alias="from", description="Format of the file.")] = None,
        write_as: Annotated[TableName | None, Query(alias="to", description="Format of the scored file.")] = None,
        text_column: Annotated[list[Column], Query(max_length=20, description=TEXT_COLUMN)] = [],  # noqa: B006 - FastAPI makes a new one for each request
        prefix: Annotated[str | None, Query(max_length=50, description="Prefix for added columns.")] = None,
        sheet: Annotated[
            str | None, Query(max_length=100, description="Sheet of a workbook: its name or number, or all.")
        ] = None,
        header_row: Annotated[
            int | None, Query(ge=1, le=1_048_576, description="Row with the names of the columns; found by default.")
        ] = None,
        no_header: Annotated[  # noqa: FBT002 - FastAPI calls it by name
            bool, Query(description="The first row is data; columns are then named A, B, C.")
        ] = False,
        encoding: Annotated[Encoding | None, Query(description="Encoding of CSV; detected by default.")] = None,
        delimiter: Annotated[
            Delimiter | None, Query(description="Between cells of CSV: one character, or `tab`; detected by default.")
        ] = None,
        on_error: Annotated[
            Literal["stop", "keep"], Query(description="What to do with a row that cannot be read.")
        ] = "stop",
        plain: Annotated[  # noqa: FBT002 - FastAPI calls it by name
            bool, Query(description="Of a workbook, write a new one with the values alone, not a copy.")
        ] = False,
        split: Annotated[  # noqa: FBT002 - FastAPI calls it by name
            bool, Query(description="One row for each clause, with a weight: 0 for boilerplate.")
        ] = False,
        report: Annotated[  # noqa: FBT002 - FastAPI calls it by name
            bool, Query(description="Of a document, with split: the page that shows it, as HTML, instead of the table.")
        ] = False,
        progress: Annotated[JobName, Query(description="A name of your choice, to ask `/progress` with.")] = "",
    ) -> Response:
        """Score every row of a CSV, TSV, JSON, JSON lines, Parquet or Excel file, optionally .gz or .zst, or in a .zip.

        A document (PDF, Word, HTML, Markdown, plain text) is one row, or with `split` a row for each clause; name the
        format of the table with `to`.

        Send the file as the body, or in the field `file` of a form. All columns are kept as they are; new
        columns are appended. A form may also hold `corrections`, a JSON file: a corrected row gets the
        person's label and service line, and `model_label`, `reviewer` and `decided_at`, blank in all others.
        """
        file = await uploads.receive(request, folder, filename, read_as, served.model.labels, split=split)
        options = scoring_files.Options(
            text_columns=text_column,
            prefix=prefix,
            keep=on_error == "keep",
            read_as=file.read_as or None,
            write_as=write_as,
            encoding=encoding or file.encoding,
            delimiter="\t" if delimiter == "tab" else delimiter,
            sheet=sheet,
            header_row=header_row,
            has_header=not no_header,
            plain=plain,
            corrections=file.corrections,
            split=split,
            name=file.name,
        )
        if report and not split:
            raise AnyHTTPException(422, "report: shows a document clause by clause. Pass split=true.")
        task = partial(uploads.score_report if report else uploads.score, file, options, settings.max_unpacked)
        with jobs.job(progress) as job:
            scored = await job.result(files_pool.run(served.run, task, job), request)
        return uploads.stream(scored, file)

    @app.get(
        "/progress", dependencies=secured, responses=problems(401, 403, 421, 422, 503), summary="See how far a file is"
    )
    async def progress_of(name: Annotated[JobName, Query(description="That of the request to `/score`.")]) -> Progress:
        """Return how many rows of a file are scored, and the fraction of it that is read; 0 before and afterwards."""
        return Progress(**jobs.done(name)._asdict())

    @app.get("/model", dependencies=secured, responses=problems(401, 403, 421, 503), summary="Describe the model")
    async def describe() -> ModelInfo:
        """Return the labels, service lines, data and metrics of the model, and the limits of the service."""
        return served.describe()

    @app.get("/health", responses=problems(421), summary="Check that the service is running")
    async def health() -> Health:
        """Return ok while the service is running."""
        return Health()

    add_routes(app, served.learning, secured)
    for path, (name, media_type) in _PAGE.items():
        # What shows a document is that of the reports.
        folder = files("outsort.reporting") if name.startswith("document.") else files("outsort.service") / "page"
        content = folder.joinpath(name).read_bytes()
        app.add_api_route(path, _static(content, media_type), include_in_schema=False)
    # No route returns a Problem as its model, so FastAPI would leave it out of the description.
    app.openapi()["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    return app


def serve(
    model: Model,
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: ServiceSettings | None = None,
    taxonomy: Taxonomy | None = None,
    rules: Rules | None = None,
    tell: Callable[[str], object] = lambda _: None,
    learn_into: LearnInto | None = None,
) -> None:
    """Serve until stopped, then finish the requests in progress.

    Args:
        model: the model.
        host: the host name or address to bind.
        port: the port; 0 for any free port.
        settings: limits and access; `ServiceSettings()` if None. Its token, which an address that is not local
            needs, has `MIN_TOKEN` or more characters.
        taxonomy: see `create_app`.
        rules: likewise.
        tell: called with the address of the page, once it answers.
        learn_into: see `create_app`; then the page needs a token, which is in the address.

    Raises:
        ServiceError: a token is needed or not valid, or the port is in use.
    """
    settings = settings or ServiceSettings()
    if learn_into:
        settings = settings_for_learning(settings, host)
    if settings.token is None and not is_local(host):
        raise ServiceError(
            f"{host}: other machines can reach this address. Set a token in the environment variable {TOKEN_NAME}."
        )
    if settings.token is not None and not re.fullmatch(rf"[!-~]{{{MIN_TOKEN},}}", settings.token):
        raise ServiceError(
            f"{TOKEN_NAME}: is not a valid token. Use {MIN_TOKEN} or more letters, digits and symbols, no spaces."
        )
    with closing(listen(host, port)) as listener, temporary_folder() as folder:
        server = server_of(
            create_app(model, settings, taxonomy=taxonomy, rules=rules, learn_into=learn_into), settings, folder
        )
        logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
        logging.getLogger("uvicorn").setLevel(logging.WARNING)
        # Its warnings quote the request.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"

        def on_ready() -> None:
            log.info("serving on %s with model %s", address, model.fingerprint)
            # What follows the sign # stays in the browser.
            tell(f"{address}/#token={settings.token}" if learn_into else address)

        server.on_ready = on_ready
        server.run(sockets=[listener])


def server_of(app: FastAPI, settings: ServiceSettings, folder: Path | None = None) -> Server:
    """Return a server for the service; pass its `run` the sockets to listen on.

    Args:
        app: the service.
        settings: its settings.
        folder: a folder to remove when the process is ended after the grace period.
    """

    def clean_up() -> None:
        app.state.served.close()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)

    config = uvicorn.Config(
        app, http=Protocol, ws="none", access_log=False, log_config=None, proxy_headers=False, server_header=False
    )
    return Server(config, settings.grace_seconds, clean_up)


def _static(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def send() -> Response:
        return Response(content, media_type=media_type, headers={"cache-control": "no-cache"})

    return send


async def _http_error(_request: Request, error: Any) -> Response:  # noqa: ANN401 - an HTTPException of Starlette
    found = {name: getattr(error, name, None) for name in ("columns", "samples")}
    members = {name: value for name, value in found.items() if value is not None}
    return problem(error.status_code, str(error.detail), error.headers, **members)


async def _invalid(_request: Request, error: Any) -> Response:  # noqa: ANN401 - a RequestValidationError
    faults = error.errors()
    if faults[0]["type"] == "json_invalid":
        return problem(400, f"The body is not valid JSON: {faults[0]['ctx']['error']}.")
    # Leave out the input: the client has it, and it may be long.
    errors = [
        {"where": ".".join(map(str, fault["loc"])), "what": in_plain_words(fault["msg"])} for fault in faults[:10]
    ]
    detail = "; ".join(f"{error['where']}: {error['what']}" for error in errors[:3])
    return problem(422, f"The request is not valid: {detail}.", errors=errors)


def _answer_all(model: Model, request: PredictRequest, seconds: float, answer: Callable[..., dict[str, Any]]) -> bytes:
    end = time.monotonic() + seconds
    answers = []
    for text in request.texts:
        if time.monotonic() > end:
            raise too_slow(seconds)
        answers.append(answer(model, text, explain=request.explain))
    content = {"model": model.fingerprint, "answers": answers}
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
