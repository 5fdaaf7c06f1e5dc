"""The models that some labelled data taught, kept beside it, and who decided what."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

from outsort.model import Model
from outsort.model_file import load, save


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
