"""The model that is served, which may change while the service runs."""

from __future__ import annotations

from outsort._version import __version__
from outsort.decision import threshold_of
from outsort.model import Model
from outsort.rules.rule import Rules
from outsort.service.jobs import Job
from outsort.service.learning import Learning, LearnInto
from outsort.service.schemas import MAX_CHARACTERS, MAX_TEXTS, ModelInfo, T
from outsort.service.settings import ServiceSettings
from outsort.service.workers import Task, Workers
from outsort.taxonomy import Taxonomy


class Served:
    """The model that answers, the processes that score files with it, and what learns a better one.

    Attributes:
        model: the model.
        workers: its processes, once `start` was called.
        learning: None if the service does not learn.
    """

    workers: Workers

    def __init__(
        self,
        model: Model,
        settings: ServiceSettings,
        taxonomy: Taxonomy | None,
        rules: Rules | None,
        learn_into: LearnInto | None,
    ) -> None:
        """Hold the model; see `create_app`."""
        self.model, self._settings, self._taxonomy, self._rules = model, settings, taxonomy, rules
        self.learning = Learning(learn_into, self) if learn_into else None

    def start(self) -> None:
        """Start the processes."""
        self.workers = Workers(self.model, self._settings, self._taxonomy, self._rules)

    def switch(self, model: Model) -> None:
        """Let another model answer; files that are being scored are finished by the one before."""
        before = self.workers
        self.model = model
        self.start()
        before.retire()

    def run(self, task: Task[T], job: Job) -> T:
        """Run a task in a process of the model that then answers; see `Workers.run`."""
        return self.workers.run(task, job)

    def close(self) -> None:
        """End all processes, whatever they do."""
        self.workers.close()
        if self.learning:
            self.learning.close()

    def describe(self) -> ModelInfo:
        """Return what the model is, and the limits of the service."""
        model, settings, taxonomy = self.model, self._settings, self._taxonomy
        lines = {
            label: sorted(model.lines[i] for i in model.lines_of(label)) if model.has_lines else []
            for label in model.labels
        }
        return ModelInfo(
            outsort=__version__,
            model=model.fingerprint,
            threshold=threshold_of(model),
            certified=model.is_certified,
            terms=len(model.terms),
            labels=list(model.labels),
            out_of_scope=model.out_of_scope,
            service_lines=lines,
            taxonomy=taxonomy.fingerprint if taxonomy else "",
            categories={
                axis.column: dict(zip(axis.codes, axis.names, strict=True))
                for axis in (taxonomy.axes if taxonomy else ())
            },
            rules=self._rules.fingerprint if self._rules else "",
            data=model.about.get("data", {}),
            scores=model.about.get("scores", {}),
            learns=self.learning is not None,
            limits={
                "texts": MAX_TEXTS,
                "characters": MAX_CHARACTERS,
                "body": settings.max_body,
                "file": settings.max_file,
            },
        )
