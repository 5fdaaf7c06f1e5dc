"""Score many files into one folder: which are done, which are missing, and by which model."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import glob, has_magic
from pathlib import Path
from typing import Any, NamedTuple

from outsort.errors import DataError, OutputError
from outsort.files import check_output, sweep, written_whole
from outsort.model import Model
from outsort.model_file import load
from outsort.scoring.files import Options, score_one, scorer_for
from outsort.scoring.summary import SummaryTally
from outsort.tables.base import warn
from outsort.tables.formats import format_of, split_packing
from outsort.tables.sources import count_rows

#: Records, in an output folder, the model and the jobs. Readers of a folder of Parquet files
#: ignore names with a leading underscore.
MANIFEST = "_outsort-run.json"
#: Least seconds between two writes of the manifest; rows it has not recorded before a crash are recounted.
_WRITE_INTERVAL = 1.0


class Job(NamedTuple):
    """One input file and the output file to write."""

    source: str
    target: Path


class Run:
    """A run that scores files into a folder.

    Attributes:
        jobs: all jobs.
        missing: the jobs whose output is still to be written.
        counts: number of rows of each output written by this run, by path, in the order of completion.
        started: whether `start` was called.
    """

    def __init__(self, folder: Path, jobs: Sequence[Job], settings: dict[str, Any]) -> None:
        """Hold the jobs without reading or writing anything."""
        self.jobs = jobs
        self.missing = list(jobs)
        self.counts: dict[str, int] = {}
        self.started = False
        self._folder = folder
        self._path = folder / MANIFEST
        self._settings = settings
        self._entries: dict[str, dict[str, Any]] = {}
        self._written = 0.0
        self._is_first = False

    def start(self) -> None:
        """Create the folder and write a manifest of the jobs.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self._folder}: cannot create this folder ({error.strerror}). Name another.") from error
        self._is_first = not self._path.exists()
        self.write()
        self.cleanup()
        self.started = True

    def end(self) -> None:
        """Record how far the run got; a first run that wrote no output leaves nothing in the way of the next."""
        self.cleanup()
        if self._is_first and not self.counts:
            self._path.unlink(missing_ok=True)
            with suppress(OSError):  # it was there before, and holds something else
                self._folder.rmdir()
        else:
            self.write()

    def finish(self, job: Job, n_rows: int) -> None:
        """Record that a job's output is complete."""
        self.counts[str(job.target)] = n_rows
        self._entries[job.target.name] = _entry(job) | {"rows": n_rows}
        if time.monotonic() - self._written > _WRITE_INTERVAL:
            self.write()

    def write(self) -> None:
        """Write the manifest."""
        content = self._settings | {"jobs": self._entries}
        with written_whole(self._path, force=True) as file:
            file.write(json.dumps(content, indent=2, ensure_ascii=False).encode())
        self._written = time.monotonic()

    def cleanup(self) -> None:
        """Remove temporary files left by killed processes."""
        sweep([self._path, *(job.target for job in self.missing)])

    def restart(self, *, force: bool) -> None:
        """Treat every job as missing.

        Raises:
            OutputError: the folder already holds a run or an output (and not `force`).
        """
        if not force and self._path.exists():
            raise OutputError(
                f"{self._folder}: already holds the outputs of a run. Pass --resume to write the missing "
                "ones, --force to start over, or name another folder."
            )
        for job in self.jobs:
            if self._folder.is_dir():
                check_output(job.target, force=force)
            # Until it is replaced, an existing output belongs to an older run.
            older = {"older": True} if job.target.exists() else {}
            self._entries[job.target.name] = _entry(job) | {"rows": None} | older

    def resume(self) -> None:
        """Treat the jobs that an earlier run finished as done.

        Raises:
            OutputError: that run had another model, other options or other inputs.
        """
        before = self._before()
        differs = ", ".join(key for key in self._settings if before.get(key) != self._settings[key])
        if differs and before:
            raise OutputError(f"{self._folder}: was started with another {differs}. Start again in another folder.")
        self._entries = dict(before.get("jobs", {}))
        self.missing = []
        for job in self.jobs:
            entry, known = _entry(job), self._entries.get(job.target.name)
            if job.target.exists() and (known is None or any(known.get(k) != entry[k] for k in entry)):
                made_from = "something else" if known is None else f"another {known.get('source')}"
                raise OutputError(
                    f"{job.target}: was made from {made_from}, or {job.source} has changed since. Start "
                    "again in another folder."
                )
            if known and job.target.exists() and not known.get("older"):
                if known.get("rows") is None:
                    known["rows"] = count_rows(job.target)
            else:
                self.missing.append(job)
                self._entries[job.target.name] = {"rows": None} | (known or {}) | entry

    def _before(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        try:
            before = json.loads(self._path.read_text(encoding="utf-8"))
            if not all(isinstance(entry, dict) for entry in before["jobs"].values()):
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise OutputError(f"{self._path}: is damaged. Start again in another folder.") from None
        return dict(before)


@contextmanager
def batch_run(
    sources: Sequence[str], folder: Path, model: Model, options: Options, *, force: bool, resume: bool
) -> Iterator[Run]:
    """Start or resume a run; remove its temporary files however it ends.

    Does not write anything before `Run.start`.

    Args:
        sources: the files to read.
        folder: the output folder; `Run.start` creates it if missing.
        model: the model.
        options: how to read and score.
        force: replace existing outputs.
        resume: skip outputs that are already complete.

    Raises:
        DataError: an input is missing, or two have the same name.
        OutputError: the folder holds outputs (and neither `force` nor `resume`), or is from a run with
            another model, other options or other inputs.
    """
    settings = {
        "model": model.fingerprint,
        "text_columns": list(options.text_columns),
        "prefix": options.prefix,
        "explain": options.explain,
        "taxonomy": options.taxonomy.fingerprint if options.taxonomy else None,
        "rules": options.rules.fingerprint if options.rules else None,
        "limit": options.limit,
        "delimiter": options.delimiter,
        "sheet": options.sheet,
        "header_row": options.header_row,
        "has_header": options.has_header,
        "safe_for_excel": options.safe_for_excel,
        "plain": options.plain,
        "split": options.split,
        "weight_column": options.weight_column if options.split else None,
    }
    run = Run(folder, _jobs(sources, folder, options), settings)
    if resume:
        run.resume()
    else:
        run.restart(force=force)
    try:
        yield run
    finally:
        if run.started:
            run.end()


def _jobs(sources: Sequence[str], folder: Path, options: Options) -> list[Job]:
    jobs: dict[Path, Job] = {}
    for source in sources:
        name = Path(source).name
        if options.write_as:
            _, unpacked = split_packing(name)
            name = f"{Path(unpacked).stem}.{options.write_as}"
        target = folder / name
        if target in jobs:
            raise DataError(f"{source}: another input is also written to {name!r}. Score them into separate folders.")
        jobs[target] = Job(source, target)
    return list(jobs.values())


def _entry(job: Job) -> dict[str, Any]:
    """Return what identifies an input: its path and size."""
    try:
        size = Path(job.source).stat().st_size
    except FileNotFoundError:
        raise DataError(f"{job.source}: no such file. Name a table with a text column.") from None
    return {"source": os.path.abspath(job.source), "bytes": size}  # noqa: PTH100 - keep links as given


def score_files(
    sources: Sequence[str],
    output: Path,
    model: Model | None = None,
    *,
    options: Options | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Callable[[int, float], None] | None = None,
    tell: Callable[[str], None] = warn,
    summary: SummaryTally | None = None,
) -> dict[str, int]:
    """Score every row of several files, each into a file of the same name in a folder.

    Args:
        sources: files, and patterns such as ``parts/*.csv``.
        output: the folder; created if missing.
        model: the model; the default model if None.
        options: how to read and score; `Options()` if None.
        force: replace existing outputs.
        resume: skip outputs that are already complete.
        progress: see `score_file`; the fraction is that of the current file.
        tell: see `score_file`.
        summary: see `score_file`; the rows of all outputs that are written.

    Returns:
        Number of rows of each output written.

    Raises:
        DataError: a pattern matches no file, or two inputs have the same name.
        OutputError: see `batch_run`.
    """
    options = options or Options()
    model = model or load()
    with batch_run(expand(sources), output, model, options, force=force, resume=resume) as run:
        scorer = scorer_for(model, options)
        run.start()
        for job in run.missing:
            n_rows = score_one(
                scorer, job.source, str(job.target), options, force=True, progress=progress, tell=tell, summary=summary
            )
            run.finish(job, n_rows)
    return run.counts


def is_pattern(source: str) -> bool:
    """Return whether `source` is a pattern such as ``parts/*.csv`` rather than a name."""
    return has_magic(source) and not Path(source).exists()


def _pattern_in(folder: Path) -> Path:
    """Return a pattern for the most frequent kind of file in a folder that can be read; for CSV if there is none."""
    suffixes: Counter[str] = Counter()
    for name in sorted(glob("*", root_dir=folder)):  # noqa: PTH207 - a folder that may not be listed has no files
        with suppress(DataError):
            format_of(name)
            suffixes[Path(name).suffix] += 1
    return folder / f"*{max(suffixes, key=suffixes.__getitem__, default='.csv')}"


def expand(sources: Sequence[str]) -> list[str]:
    """Return the files that names and patterns refer to, in order; folders that a pattern matches are left out.

    Raises:
        DataError: a pattern matches no file, or a name is that of a folder.
    """
    paths: list[str] = []
    for source in sources:
        found = [source]
        if is_pattern(source):
            found = sorted(name for name in glob(source, recursive=True) if not Path(name).is_dir())  # noqa: PTH207 - from any root
        elif Path(source).is_dir():
            raise DataError(f"{source}: is a folder. Name its files, as in '{_pattern_in(Path(source))}'.")
        if not found:
            raise DataError(f"{source}: no file matches this pattern.")
        paths += found
    return paths
