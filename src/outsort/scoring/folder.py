"""Many tables into one folder: which part became which, whole or missing, and by which model."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from outsort.errors import DataError, OutputError
from outsort.files import check_output, sweep, written_whole
from outsort.model_file import load
from outsort.scoring.files import Options, score_one
from outsort.scoring.scorer import Scorer
from outsort.tables.formats import format_of
from outsort.tables.sources import count_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from outsort.model import Model

#: The file in an output folder that says which model made its parts, of which inputs. Who reads the folder as
#: one table of Parquet passes over names that begin so.
MANIFEST = "_outsort-run.json"
#: Seconds between two writes of the manifest: what it lacks after a crash is counted again.
_BETWEEN_WRITES = 1.0


class Part(NamedTuple):
    """An input file and the file it becomes."""

    source: str
    target: Path


class Run:
    """A folder of parts in the making.

    Attributes:
        parts: every part of the run.
        missing: those of them that are yet to be made.
        counts: rows of each part made by this run, by the name of its file, in the order they were made.
        started: whether `start` was called.
    """

    def __init__(self, folder: Path, parts: Sequence[Part], settings: dict[str, Any]) -> None:
        """Hold the parts; nothing is read or written yet."""
        self.parts = parts
        self.missing = list(parts)
        self.counts: dict[str, int] = {}
        self.started = False
        self._folder = folder
        self._path = folder / MANIFEST
        self._settings = settings
        self._entries: dict[str, dict[str, Any]] = {}
        self._written = 0.0

    def start(self) -> None:
        """Make the folder, with a manifest of what is to come.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self._folder}: cannot be made a folder ({error.strerror}). Name another."
            ) from error
        self.write()
        self.tidy()
        self.started = True

    def finish(self, part: Part, n_rows: int) -> None:
        """Note that a part is there, whole."""
        self.counts[str(part.target)] = n_rows
        self._entries[part.target.name] = _entry(part) | {"rows": n_rows}
        if time.monotonic() - self._written > _BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Write the manifest."""
        content = self._settings | {"parts": self._entries}
        with written_whole(self._path, force=True) as file:
            file.write(json.dumps(content, indent=2, ensure_ascii=False).encode())
        self._written = time.monotonic()

    def tidy(self) -> None:
        """Remove what processes that were killed left half written."""
        sweep([self._path, *(part.target for part in self.missing)])

    def begin_anew(self, *, force: bool) -> None:
        """Take every part for missing.

        Raises:
            OutputError: the folder holds a run, or a part, already (and not `force`).
        """
        if not force and self._path.exists():
            raise OutputError(
                f"{self._folder}: holds the parts of a run already. Pass --resume to make those that "
                "are missing, --force to make all anew, or name another folder."
            )
        for part in self.parts:
            if self._folder.is_dir():
                check_output(part.target, force=force)
            # Until it is replaced, what stands there is of an older run.
            older = {"older": True} if part.target.exists() else {}
            self._entries[part.target.name] = _entry(part) | {"rows": None} | older

    def take_up(self) -> None:
        """Take the parts that an earlier run finished for done.

        Raises:
            OutputError: that run had another model, other options or other inputs.
        """
        before = self._before()
        differs = ", ".join(key for key in self._settings if before.get(key) != self._settings[key])
        if differs and before:
            raise OutputError(
                f"{self._folder}: was begun with another {differs}. Start again in another folder."
            )
        self._entries = dict(before.get("parts", {}))
        self.missing = []
        for part in self.parts:
            entry, known = _entry(part), self._entries.get(part.target.name)
            if part.target.exists() and (known is None or any(known.get(k) != entry[k] for k in entry)):
                made_of = "of something else" if known is None else f"of another {known.get('source')}"
                raise OutputError(
                    f"{part.target}: was made {made_of}, or {part.source} has changed since. Start again in "
                    "another folder."
                )
            if known and part.target.exists() and not known.get("older"):
                if known.get("rows") is None:
                    known["rows"] = count_rows(part.target)
            else:
                self.missing.append(part)
                self._entries[part.target.name] = {"rows": None} | (known or {}) | entry

    def _before(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        try:
            before = json.loads(self._path.read_text(encoding="utf-8"))
            if not all(isinstance(entry, dict) for entry in before["parts"].values()):
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise OutputError(f"{self._path}: is damaged. Start again in another folder.") from None
        return dict(before)


@contextmanager
def begun(
    sources: Sequence[str], folder: Path, model: Model, options: Options, *, force: bool, resume: bool
) -> Iterator[Run]:
    """Begin a run, or take it up again, and leave its folder tidy however it ends.

    Nothing is written before `Run.start`.

    Args:
        sources: the files to read.
        folder: the folder to write; `Run.start` makes it when missing.
        model: the model that answers.
        options: how.
        force: replace parts that exist.
        resume: leave parts that exist, which are whole, and make the others.

    Raises:
        DataError: an input is missing, or two have one name.
        OutputError: the folder holds parts (and neither `force` nor `resume`), or was made by another model,
            with other options or of other inputs.
    """
    settings = {
        "model": model.fingerprint,
        "text_columns": list(options.text_columns),
        "prefix": options.prefix,
        "explain": options.explain,
        "limit": options.limit,
        "sheet": options.sheet,
    }
    run = Run(folder, _parts(sources, folder, options), settings)
    if resume:
        run.take_up()
    else:
        run.begin_anew(force=force)
    try:
        yield run
    finally:
        if run.started:
            run.tidy()
            run.write()


def _parts(sources: Sequence[str], folder: Path, options: Options) -> list[Part]:
    parts: dict[Path, Part] = {}
    for source in sources:
        name = Path(source).name
        if options.write_as:
            _, packing = format_of(source, options.read_as)
            stem = name
            for _ in range(1 + bool(packing)):
                stem = Path(stem).stem
            name = f"{stem}.{options.write_as}"
        target = folder / name
        if target in parts:
            raise DataError(
                f"{source}: another input has the name {name!r} too. Score them into two folders."
            )
        parts[target] = Part(source, target)
    return list(parts.values())


def _entry(part: Part) -> dict[str, Any]:
    """Return what tells an input from another of its name."""
    try:
        size = Path(part.source).stat().st_size
    except FileNotFoundError:
        raise DataError(f"{part.source}: no such file. Name a table with a column of texts.") from None
    return {"source": os.path.abspath(part.source), "bytes": size}  # noqa: PTH100 - links stay as named


def score_files(
    sources: Sequence[str],
    output: Path,
    model: Model | None = None,
    *,
    options: Options | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Callable[[int, float], None] | None = None,
) -> dict[str, int]:
    """Answer every row of several files, each into a file of the same name in a folder.

    Args:
        sources: files, and patterns such as ``parts/*.csv``.
        output: the folder; made when missing.
        model: the model to ask; the default model when None.
        options: how, `Options()` when None.
        force: replace outputs that exist.
        resume: leave outputs that exist, which are whole, and make the others.
        progress: see `score_file`; the share is that of the file at hand.

    Returns:
        Rows written for each output made.

    Raises:
        DataError: a pattern names no file, or two inputs have one name.
        OutputError: see `parts.begun`.
    """
    options = options or Options()
    model = model or load()
    with begun(expand(sources), output, model, options, force=force, resume=resume) as run:
        scorer = Scorer(model, workers=options.workers, explain=options.explain)
        run.start()
        for part in run.missing:
            n_rows = score_one(scorer, part.source, str(part.target), options, force=True, progress=progress)
            run.finish(part, n_rows)
    return run.counts


def is_pattern(source: str) -> bool:
    """Tell a pattern such as ``parts/*.csv`` from a name."""
    return has_magic(source) and not Path(source).exists()


def expand(sources: Sequence[str]) -> list[str]:
    """Return the files that names and patterns stand for, in order.

    Raises:
        DataError: a pattern names no file.
    """
    paths: list[str] = []
    for source in sources:
        found = sorted(glob(source, recursive=True)) if is_pattern(source) else [source]  # noqa: PTH207 - of any root
        if not found:
            raise DataError(f"{source}: no file of such a name.")
        paths += found
    return paths
