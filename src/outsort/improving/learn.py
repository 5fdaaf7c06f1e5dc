"""Learn from corrections: merge them into labelled data, train again, and keep the models and who decided what."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outsort.data.dataset import read
from outsort.improving.merge import merge
from outsort.improving.retrain import Retraining, retrain
from outsort.model import Model
from outsort.model_file import load, save
from outsort.results import Result
from outsort.training.fitting import Settings


@dataclass(frozen=True)
class Lesson(Result):
    """What came of corrections.

    Attributes:
        added: texts that were not in the data.
        filled: texts whose rows were there without a label.
        known: texts whose rows had this label already.
        problems: what was not merged and why, one sentence each.
        rows: labelled rows after that.
        base: the fingerprint of the model before.
        model: the fingerprint of the new model; empty if none was trained.
        comparison: how the two compare; None if none was trained.
        is_better: whether the new model may replace the other: it was compared, and is not worse.
    """

    added: int
    filled: int
    known: int
    problems: list[str]
    rows: int
    base: str
    model: str
    comparison: Retraining | None
    is_better: bool


def learn(
    corrections: Path, data: Path, base: Model, *, tell: Callable[[str], object] = lambda _: None
) -> tuple[Lesson, Model | None]:
    """Merge corrections into labelled data, and train a model on it with the settings of the current one.

    Args:
        corrections: a table as the page writes it, see `merge`.
        data: the labelled data, which is changed.
        base: the current model.
        tell: called with the name of each step when it begins: merging, training.

    Returns:
        What came of it, and the new model; None if the corrections bring nothing new.

    Raises:
        DataError: the corrections or the data cannot be read or used.
        OutputError: the data cannot be written.
    """
    tell("merging")
    merged = merge([corrections], data, base)
    dataset = read(data, out_of_scope=base.out_of_scope)
    model, comparison = None, None
    if merged.added or merged.filled:
        tell("training")
        model, comparison = retrain(dataset, base, settings=Settings(**base.about.get("settings", {})))
    lesson = Lesson(
        added=merged.added,
        filled=merged.filled,
        known=merged.known,
        problems=merged.problems,
        rows=len(dataset.texts),
        base=base.fingerprint,
        model=model.fingerprint if model else "",
        comparison=comparison,
        is_better=bool(comparison and comparison.judged and not comparison.worse),
    )
    return lesson, model


class History:
    """The models that were used with some labelled data, and who decided what, in a folder beside it."""

    def __init__(self, data: Path) -> None:
        """Name the folder after the data; it is made when something is kept."""
        self.folder = data.with_name(f"{data.stem}-models")
        self._log = self.folder / "log.jsonl"

    def keep(self, model: Model) -> None:
        """Keep a model.

        Raises:
            OutputError: it cannot be written.
        """
        self.folder.mkdir(exist_ok=True)
        path = self._path(model.fingerprint)
        if not path.exists():
            save(model, path)

    def note(self, event: str, **told: object) -> None:
        """Add an event to the log: a line of JSON, with the time."""
        self.folder.mkdir(exist_ok=True)
        at = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"at": at, "event": event} | told, ensure_ascii=False) + "\n")

    def events(self) -> list[dict[str, Any]]:
        """Return the log."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]

    def last(self) -> Model | None:
        """Return the model that was last switched to; None if none was."""
        used = [event["model"] for event in self.events() if event["event"] == "use"]
        return load(self._path(used[-1])) if used and self._path(used[-1]).exists() else None

    def before(self, model: Model) -> str:
        """Return the fingerprint of the model that a model came from; "" if it is not kept."""
        lineage = model.about.get("lineage", [])
        return lineage[0]["model"] if lineage and self._path(lineage[0]["model"]).exists() else ""

    def load(self, fingerprint: str) -> Model:
        """Return a model that is kept."""
        return load(self._path(fingerprint))

    def _path(self, fingerprint: str) -> Path:
        return self.folder / f"{fingerprint}.joblib"
