"""Learning from the corrections that are made on the page, on the machine of the person who makes them."""

from __future__ import annotations

import csv
import secrets
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import joblib
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from outsort.data.identity import key_of
from outsort.errors import OutsortError, ServiceError
from outsort.improving.history import History
from outsort.model import Model
from outsort.service.corrections import Cell
from outsort.service.guard import TaskError, described, is_local, log
from outsort.service.schemas import MAX_CHARACTERS, problems
from outsort.service.settings import ServiceSettings
from outsort.service.workers import CONTEXT, begin

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from fastapi.params import Depends

    from outsort.improving.learn import Lesson
    from outsort.service.served import Served

_COLUMNS = ("key", "text", "label", "service_line", "reviewer", "decided_at")


class LearnInto(NamedTuple):
    """Labelled data that corrections are merged into, and how a model is trained on it.

    Attributes:
        data: the table.
        clauses: see `improving.learn.learn`, like the next.
        shares: likewise.
    """

    data: Path
    clauses: Path | None = None
    shares: Mapping[str, float] = {}


class Decision(BaseModel):
    """A person's decision about a text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(max_length=MAX_CHARACTERS)
    label: Cell
    model_label: Cell = ""
    service_line: Cell = ""
    reviewer: Cell = ""
    decided_at: Cell = ""


class LearnRequest(BaseModel):
    """Corrections to learn from."""

    model_config = ConfigDict(extra="forbid", strict=True)

    corrections: list[Decision] = Field(min_length=1)


class BackRequest(BaseModel):
    """Who goes back to the model before."""

    model_config = ConfigDict(extra="forbid", strict=True)

    reviewer: Cell = ""


class LearningState(BaseModel):
    """What the service has learnt, or is learning."""

    data: str = Field(description="The name of the labelled data; empty if the service does not learn.")
    stage: str = Field(description="merging or training; empty when nothing is being learnt.")
    model: str = Field(description="The fingerprint of the model that answers.")
    before: str = Field(
        description="That of the model it came from, which can be gone back to; empty if there is none."
    )
    lesson: dict[str, Any] | None = Field(description="What came of the last corrections, as `outsort retrain --json`.")
    problem: str = Field(description="Why the last corrections taught nothing; empty if they did.")


def settings_for_learning(settings: ServiceSettings, host: str) -> ServiceSettings:
    """Return the settings of a service that changes the user's data: it has a token, made if none is set.

    Raises:
        ServiceError: other machines could reach it.
    """
    if not is_local(host):
        raise ServiceError(
            f"{host}: other machines can reach this address, and --learn changes your data. Leave it out."
        )
    return settings if settings.token else settings.model_copy(update={"token": secrets.token_urlsafe(24)})


class Learning:
    """Learns in a process of its own, from one person's corrections at a time."""

    def __init__(self, into: LearnInto, served: Served) -> None:
        """Hold the data to merge into, and what is served, which gets the better models."""
        self._into, self._served = into, served
        self._history = History(into.data)
        self._lock = threading.Lock()
        self._stage, self._problem = "", ""
        self._lesson: Lesson | None = None
        self._process: Any = None
        self._is_cancelled = False

    def state(self) -> LearningState:
        """Return what is known."""
        return LearningState(
            data=self._into.data.name,
            stage=self._stage,
            model=self._served.model.fingerprint,
            before=self._history.before(self._served.model),
            lesson=self._lesson.to_dict() if self._lesson else None,
            problem=self._problem,
        )

    def start(self, corrections: Sequence[Decision]) -> None:
        """Start to learn, without waiting for it.

        Raises:
            HTTPException: 409 while others' corrections are being learnt, 422 if a label is not the model's.
        """
        for i, decision in enumerate(corrections):
            if decision.label not in self._served.model.labels:
                known = ", ".join(self._served.model.labels)
                raise HTTPException(422, f"corrections.{i}.label: is none of the labels of the model, {known}.")
        with self._lock:
            if self._stage:
                raise HTTPException(409, "Other corrections are being learnt. Try again when that is done.")
            self._stage, self._problem, self._lesson = "merging", "", None
            self._is_cancelled = False
        threading.Thread(target=self._learn, args=[list(corrections)], daemon=True).start()

    def cancel(self) -> None:
        """End what is being learnt; what is merged by then stays merged."""
        self._is_cancelled = True
        if process := self._process:
            process.kill()

    close = cancel

    def back(self, by: str) -> None:
        """Let the model before answer again.

        Raises:
            HTTPException: 409 if there is none, or something is being learnt.
        """
        with self._lock:
            before = self._history.before(self._served.model)
            if not before or self._stage:
                raise HTTPException(409, "There is no model to go back to, or one is being trained.")
            self._use(self._history.load(before), by)
            self._lesson = None

    def _use(self, model: Model, by: str) -> None:
        """Let another model answer, and keep both."""
        for one in (self._served.model, model):
            self._history.keep(one)
        self._history.note("use", model=model.fingerprint, instead_of=self._served.model.fingerprint, by=by)
        self._served.switch(model)

    def _learn(self, corrections: list[Decision]) -> None:
        try:
            by = "; ".join(dict.fromkeys(decision.reviewer for decision in corrections if decision.reviewer))
            self._history.note("decide", decisions=[{"key": key_of(d.text)} | d.model_dump() for d in corrections])
            lesson, model = self._taught(corrections)
            self._history.note("learn", by=by, **lesson.to_dict())
            if model and lesson.is_better:
                # The file tells who a model came from by the model as it was loaded.
                self._use(model, by)
            self._lesson = lesson
        except OutsortError as error:
            self._problem = str(error)
        except Exception as error:  # noqa: BLE001 - its message may hold a text
            log.error("%s", described(error))
            self._problem = "Something went wrong; see the log of the service."
        finally:
            self._stage, self._process = "", None

    def _taught(self, corrections: list[Decision]) -> tuple[Lesson, Model | None]:
        """Return what came of corrections, from a process that can be ended."""
        with tempfile.TemporaryDirectory(prefix="outsort-") as folder:
            path = Path(folder) / "corrections.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                table = csv.writer(file)
                table.writerow(_COLUMNS)
                for one in corrections:
                    table.writerow([key_of(one.text), *(getattr(one, name) for name in _COLUMNS[1:])])
            ours, theirs = CONTEXT.Pipe()
            with ours:
                with theirs:
                    process = CONTEXT.Process(target=_work, args=(theirs, path, self._into, self._served.model))
                    process.start()
                    self._process = process
                    if self._is_cancelled:
                        process.kill()
                try:
                    while isinstance(result := ours.recv(), str):
                        self._stage = result
                except (EOFError, OSError):
                    why = "was cancelled" if self._is_cancelled else "ended, perhaps for lack of memory"
                    raise ServiceError(f"It {why}. What was merged into your data by then stays there.") from None
                finally:
                    process.join()
        if isinstance(result, Exception):
            raise result
        return result  # type: ignore[no-any-return]


def add_routes(app: FastAPI, learning: Learning | None, secured: Sequence[Depends]) -> None:
    """Let the page learn, if it may: start, see how far it is, end it, and go back."""
    if learning is None:
        return
    how: dict[str, Any] = {"dependencies": secured, "responses": problems(401, 403, 409, 413, 421, 422, 503)}

    @app.get("/learning", **how, summary="See what is being learnt, and what was")
    def state() -> LearningState:
        """Return what the service is learning, and what came of the last corrections."""
        return learning.state()

    @app.post("/learning", **how, status_code=202, summary="Learn from corrections")
    def start(request: LearnRequest) -> LearningState:
        """Merge corrections into the user's data and train again; a model that is not worse answers from then on."""
        learning.start(request.corrections)
        return learning.state()

    @app.delete("/learning", **how, summary="End what is being learnt")
    def cancel() -> LearningState:
        """End what is being learnt."""
        learning.cancel()
        return learning.state()

    @app.post("/learning/back", **how, summary="Go back to the model before")
    def back(request: BackRequest) -> LearningState:
        """Let the model answer that the present one came from."""
        learning.back(request.reviewer)
        return learning.state()


def _work(connection: Connection, corrections: Path, into: LearnInto, base: Model) -> None:
    begin()
    # It imports what trains, which the service itself does without.
    from outsort.improving.learn import learn

    try:
        # Threads: processes of its own would outlive one that is killed.
        with joblib.parallel_config("threading"):
            lesson, model = learn(
                corrections, into.data, base, clauses=into.clauses, shares=into.shares, tell=connection.send
            )
    except OutsortError as error:
        hidden = str(error).replace(f"{corrections}", "your corrections")
        connection.send(ServiceError(hidden))
        return
    except Exception as error:  # noqa: BLE001 - the service logs it
        connection.send(TaskError(described(error)))
        return
    problems = [problem.removeprefix(f"{corrections}, ") for problem in lesson.problems]
    connection.send((replace(lesson, problems=problems), model))
