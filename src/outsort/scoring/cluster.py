"""The same answers on a Dask cluster: each part is read, answered and written by a worker.

The scheduler is Dask's own; here is what a part of the work is, and what can go wrong with a cluster in
words. The model is one key of the graph, the bytes of its file: Dask hands them to each worker once, and
has them made again should the worker that held them be lost.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from outsort._version import __version__
from outsort.errors import ClusterError, DataError, OutsortError
from outsort.model_file import load, pack, unpack
from outsort.scoring import files, folder, frames
from outsort.scoring.folder import MANIFEST, begun
from outsort.scoring.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from outsort.model import Model
    from outsort.scoring.files import Options

#: How a local cluster is asked for: ``local``, or ``local:N`` for N workers.
LOCAL = "local"
#: Seconds to wait for a scheduler to answer, and for a first worker to join.
_REACH = 10
#: Seconds that a cluster may be without any worker before the run gives up: one may be starting again.
_ALONE = 60.0
#: Seconds between two looks at what has ended, and at whether there are workers.
_POLL, _BETWEEN_LOOKS = 0.02, 1.0
_NO_DASK = "a cluster needs Dask; install it with pip install 'outsort[cluster]'."
_SHARE = "This machine and all workers must share its folder, under the same path."
_T = TypeVar("_T")
#: The scorer that each thread of a worker made last, and what of: threads cannot share one.
_here = threading.local()


def _scorer(packed: bytes, *, explain: bool, version: str) -> Scorer:
    """Return the scorer of this thread for a packed model, made when it is first asked for.

    Raises:
        ClusterError: this is another version of outsort, which might answer differently.
    """
    if version != __version__:
        raise ClusterError(_other_version("a worker", __version__, version))
    if getattr(_here, "made_of", None) != (packed, explain):
        _here.scorer = Scorer(unpack(packed, "the model"), workers=1, explain=explain)
        _here.made_of = packed, explain
    made: Scorer = _here.scorer
    return made


@contextmanager
def connected(cluster: str | Any) -> Iterator[Any]:  # noqa: ANN401 - Dask is not there for all
    """Connect to a Dask cluster, or start one here, and leave it at the end.

    Args:
        cluster: ``tcp://HOST:PORT`` or another address of a scheduler; ``local`` or ``local:N`` for N workers
            on this machine, one a core without N; or a `distributed.Client`, which stays open.

    Raises:
        ClusterError: Dask is missing, nobody answers there, no worker joins, or one has no outsort or
            another version; also for what goes wrong with the cluster inside the block.
    """
    try:
        import distributed
        from dask import config
    except ImportError:
        raise ClusterError(_NO_DASK) from None
    if isinstance(cluster, distributed.Client):
        _check_workers(cluster)
        with _in_words(cluster):
            yield cluster
        return
    # A model is as large as it is, and goes once.
    with (
        config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}),
        _started(cluster) as address,
    ):
        try:
            client = distributed.Client(address, timeout=_REACH, set_as_default=False)
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            raise ClusterError(
                f"{cluster}: no Dask scheduler answers there ({_first_line(error)}). Start one with 'dask "
                f"scheduler', or run on this machine with {LOCAL}."
            ) from None
        try:
            _check_workers(client)
            with _in_words(client):
                yield client
        finally:
            client.close()


@contextmanager
def _started(cluster: str) -> Iterator[Any]:
    """Give the address as it is, or start a cluster on this machine, seen from this machine alone."""
    name, _, number = cluster.partition(":")
    if name != LOCAL:
        yield cluster
        return
    if number and (not number.isdecimal() or not int(number)):
        raise ClusterError(f"{cluster}: say {LOCAL}, or {LOCAL}:N for N workers.")
    from distributed import LocalCluster

    here = "127.0.0.1:0"
    with LocalCluster(
        n_workers=int(number) if number else os.cpu_count() or 1,
        threads_per_worker=1,
        dashboard_address=here,
        worker_dashboard_address=here,
        silence_logs=logging.CRITICAL,
    ) as started:
        yield started


def _check_workers(client: Any) -> None:  # noqa: ANN401
    address = client.scheduler.address
    try:
        client.wait_for_workers(1, timeout=_REACH)
    except TimeoutError:
        raise ClusterError(
            f"{address}: the scheduler has no worker. Start some with 'dask worker {address}'."
        ) from None
    _check_versions(client)


def _check_versions(client: Any) -> None:  # noqa: ANN401
    address = client.scheduler.address
    # Of the standard library, so that who has no outsort can run it and say so.
    question = (pkgutil.resolve_name, "outsort:__version__")
    found = client.run(*question, on_error="return")
    try:
        # The scheduler unpacks what it hands out.
        found["scheduler"] = client.run_on_scheduler(*question)
    except ImportError as error:
        found["scheduler"] = error
    for place, version in found.items():
        where = place if place == "scheduler" else f"worker {place}"
        if isinstance(version, Exception):
            raise ClusterError(
                f"{address}: the {where} has no outsort ({_first_line(version)}). Install outsort "
                f"{__version__} there."
            )
        if version != __version__:
            raise ClusterError(_other_version(f"{address}: the {where}", version, __version__))


def _other_version(who: str, found: str, wanted: str) -> str:
    return f"{who} has outsort {found} and not {wanted}. Install outsort {wanted} there."


@contextmanager
def _in_words(client: Any, what: str = "a piece of the work") -> Iterator[None]:  # noqa: ANN401
    """Turn what Dask raises when a cluster fails into one message."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    address = client.scheduler.address
    try:
        yield
    except OutsortError:
        raise
    except KilledWorker:
        raise ClusterError(
            f"{address}: {what} ended every worker that took it up. If they ran out of memory, give them "
            "more, or fewer threads each."
        ) from None
    except Exception as error:
        # Work cut off fails in many ways, and one cause; the client may not know of it yet.
        if client.status == "running" and not isinstance(error, (CancelledError, CommClosedError)):
            raise
        who = "a worker that alone held data" if client.status == "running" else "the scheduler"
        raise ClusterError(f"{address}: {who} is gone. What was finished stands: start again.") from error


def score_files(
    sources: Sequence[str],
    output: Path,
    model: Model | None = None,
    *,
    cluster: str | Any,  # noqa: ANN401
    options: Options | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Callable[[int, float], None] | None = None,
) -> dict[str, int]:
    """Do what `scoring.score_files` does, on a cluster whose workers see the same folders.

    Args:
        sources: files, and patterns such as ``parts/*.parquet``, of the same columns and types.
        output: the folder; made when missing.
        model: the model to ask; the default model when None.
        cluster: see `connected`.
        options: how, `Options()` when None; `workers` has no meaning here.
        force: replace outputs that exist.
        resume: leave outputs that exist, which are whole, and make the others.
        progress: called after each part with the rows done and the share of the parts, 0 to 1.

    Returns:
        Rows written for each output made.

    Raises:
        ClusterError: see `connected`; a worker does not see the folder. Finished parts stand.
        DataError: an input cannot be read, or its columns are not those of the first.
        OutputError: see `parts.begun`.
    """
    options = options or files.Options()
    model = model or load()
    paths = folder.expand(sources)
    if "-" in paths:
        raise DataError("standard input cannot go to a cluster. Name files that its workers see.")
    with begun(paths, output, model, options, force=force, resume=resume) as run:
        if not run.missing:
            run.start()
            return {}
        with connected(cluster) as client:
            _check_columns(client, paths, options)
            run.start()
            _check_folder(client, output)
            tasks = client.map(
                _score_part,
                [_absolute(part.source) for part in run.missing],
                [_absolute(part.target) for part in run.missing],
                packed=client.submit(bytes, pack(model), pure=False),
                version=__version__,
                options=options,
                pure=False,
            )
            n_rows = 0
            for n_done, (part, rows_of_part) in enumerate(_results(client, run.missing, tasks), 1):
                run.finish(part, rows_of_part)
                n_rows += rows_of_part
                if progress:
                    progress(n_rows, n_done / len(tasks))
    return {str(part.target): run.counts[str(part.target)] for part in run.missing}


def _absolute(path: Path | str) -> str:
    """Return a path as it reads from wherever a worker stands."""
    return os.path.abspath(path)  # noqa: PTH100 - links stay as named


def _score_part(source: str, target: str, *, packed: bytes, version: str, options: Options) -> int:
    scorer = _scorer(packed, explain=options.explain, version=version)
    # Another worker may have made the part and been lost before it could say so: hence `force`.
    return files.score_file(source, target, scorer, options=options, force=True)


def _schema(source: str, *, options: Options) -> list[tuple[str, str]]:
    if not os.path.exists(source):  # noqa: PTH110
        raise ClusterError(f"a worker does not see {source}. {_SHARE}")
    return files.schema_of(source, options)


def _check_columns(client: Any, paths: Sequence[str], options: Options) -> None:  # noqa: ANN401
    """Find parts that are not of one table before any is scored: it takes a look at the head of each."""
    tasks = client.map(_schema, [_absolute(path) for path in paths], options=options, pure=False)
    schemas = dict(_results(client, paths, tasks))
    first = dict(schemas[paths[0]])
    for path in paths:
        odd = schemas[path]
        if odd == schemas[paths[0]]:
            continue
        found = dict(odd)
        differs = [f"no {name!r}" for name in first if name not in found]
        differs += [f"{name!r} besides" for name in found if name not in first]
        differs += [
            f"{name!r} as {found[name]}, not {first[name]}"
            for name in first
            if found.get(name, first[name]) != first[name]
        ]
        raise DataError(
            f"{path}: its columns are not those of {paths[0]}: it has "
            f"{', '.join(differs) or 'them in another order'}. Score it into a folder of its own."
        )


def _check_folder(client: Any, output: Path) -> None:  # noqa: ANN401
    for worker, seen in client.run(os.path.isfile, _absolute(output / MANIFEST), on_error="return").items():
        if seen is not True:
            raise ClusterError(f"worker {worker} does not see {output}. {_SHARE}")


def _results(client: Any, parts: Sequence[_T], tasks: Sequence[Any]) -> Iterator[tuple[_T, Any]]:  # noqa: ANN401
    """Yield each part with what its task returned, as they end; at the first error, call off the rest."""
    from distributed import as_completed

    part_of = {task.key: part for task, part in zip(tasks, parts, strict=True)}
    # With results, which come by themselves: one whose worker is lost is awaited there, and not here.
    waiting = as_completed(tasks, loop=client.loop, with_results=True, raise_errors=False)
    last_seen = time.monotonic()
    try:
        while not waiting.is_empty():
            for task, result in waiting.next_batch(block=False):
                part = part_of[task.key]
                if task.status in ("error", "cancelled"):
                    with _in_words(client, str(getattr(part, "source", part))):
                        _fail(client, task)
                task.release()
                yield part, result
            now = time.monotonic()
            if now - last_seen > _BETWEEN_LOOKS:
                if _has_workers(client):
                    last_seen = now
                elif now - last_seen > _ALONE:
                    raise ClusterError(
                        f"{client.scheduler.address}: has been without a worker for {_ALONE:.0f} s. Start "
                        "some, and run again with --resume."
                    )
            time.sleep(_POLL)
    finally:
        for task in tasks:
            task.release()


def _has_workers(client: Any) -> bool:  # noqa: ANN401
    try:
        return bool(client.nthreads())
    except OSError:
        # The scheduler does not answer: if it is gone for good, the tasks will end with that.
        return True


def _fail(client: Any, task: Any) -> None:  # noqa: ANN401
    """Raise what a task raised."""
    from distributed import KilledWorker

    try:
        task.result()
    except (ImportError, AttributeError, TypeError, KilledWorker):
        # A worker that joined since the run began may have no outsort, or one that knows no such task.
        _check_versions(client)
        raise


def score_dask(
    dataframe: Any,  # noqa: ANN401 - Dask is not there for all
    model: Model | None = None,
    *,
    text_column: str | Sequence[str] | None = None,
    prefix: str | None = None,
    explain: bool = False,
) -> Any:  # noqa: ANN401
    """Answer every row of a Dask DataFrame, each partition where it is, when it is computed.

    Args:
        dataframe: a Dask DataFrame.
        model: the model to ask; the default model when None. It is one key of the graph, which goes to each
            worker once.
        text_column: the column of text, or several to be joined; found by its usual name when None.
        prefix: put before the names of the added columns; when None, only if one of them is taken.
        explain: add the terms that spoke most for and against.

    Returns:
        A Dask DataFrame of the same partitions, rows, index and columns, with those of `scoring.ADDED`
        behind.

    Raises:
        ClusterError: Dask is missing; on computing, a worker has another version.
        DataError: there is no column of text; on computing, a partition has other columns or types.
        TypeError: `dataframe` is no Dask DataFrame.
    """
    try:
        import dask.dataframe
    except ImportError:
        raise ClusterError(_NO_DASK) from None
    if not isinstance(dataframe, dask.dataframe.DataFrame):
        raise TypeError(f"expected a Dask DataFrame, got {type(dataframe).__name__}")
    packed = pack(model or load())
    empty = dataframe._meta
    answer = partial(
        _score_partition,
        empty=empty,
        text_column=text_column,
        prefix=prefix,
        explain=explain,
        version=__version__,
    )
    return dataframe.map_partitions(answer, dask.delayed(packed), meta=answer(empty, packed))


def _score_partition(
    frame: pd.DataFrame,
    packed: bytes,
    *,
    empty: pd.DataFrame,
    text_column: str | Sequence[str] | None,
    prefix: str | None,
    explain: bool,
    version: str,
) -> pd.DataFrame:
    from dask.dataframe.utils import check_meta

    try:
        check_meta(frame, empty)
    except ValueError as error:
        raise DataError(
            f"a partition has other columns or types than the table. Fix it before scoring. {error}"
        ) from None
    scorer = _scorer(packed, explain=explain, version=version)
    scored: pd.DataFrame = frames.score(frame, scorer, text_column=text_column, prefix=prefix)
    return scored


@contextmanager
def parallel_on(cluster: str | Any) -> Iterator[None]:  # noqa: ANN401
    """Let training and evaluation inside the block work on a cluster, by joblib's own Dask backend.

    Args:
        cluster: see `connected`.

    Raises:
        ClusterError: see `connected`.
    """
    import joblib

    with connected(cluster) as client, joblib.parallel_config("dask", n_jobs=-1, client=client):
        yield


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
