"""Score files on a Dask cluster: each worker reads, scores and writes whole files.

Scheduling is left to Dask; this module defines the tasks and turns the ways a cluster can fail into error
messages. The model is one key of the graph, the bytes of its file: Dask sends them to each worker once, and
recreates them if the worker that held them is lost.
"""

from __future__ import annotations

import logging
import os
import pkgutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from outsort._version import __version__
from outsort.errors import ClusterError, DataError, OutsortError, first_line
from outsort.model import Model
from outsort.model_file import load, pack, unpack
from outsort.rules.rule import Rules
from outsort.scoring import files, folder, frames
from outsort.scoring.folder import MANIFEST, batch_run
from outsort.scoring.scorer import Scorer
from outsort.tables.base import warn
from outsort.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

    from outsort.scoring.files import Options

#: The name of a cluster on this machine: ``local``, or ``local:N`` for N workers.
LOCAL = "local"
#: Seconds to wait for the scheduler to answer, and for the first worker to join.
_CONNECT_TIMEOUT = 10
#: Seconds without any worker before a run gives up: a worker may be restarting.
_NO_WORKER_TIMEOUT = 60.0
#: Seconds between polls for finished tasks, and for whether there are workers.
_POLL_TASKS, _POLL_WORKERS = 0.02, 1.0
_NO_DASK = "a cluster needs Dask; install it with pip install 'outsort[cluster]'."
_SHARE = "This machine and all workers must share its folder under the same path."
_T = TypeVar("_T")
#: The last scorer of each worker thread, and what it was made from: on a shared one, threads would take turns.
_cached = threading.local()


def _scorer(
    packed: bytes, *, explain: bool, version: str, taxonomy: Taxonomy | None = None, rules: Rules | None = None
) -> Scorer:
    """Return this thread's scorer for a packed model, made on first use.

    Raises:
        ClusterError: this is another version of outsort, which might answer differently.
    """
    if version != __version__:
        raise ClusterError(_other_version("a worker", __version__, version))
    wanted = (packed, explain, *(one.fingerprint if one else "" for one in (taxonomy, rules)))
    if getattr(_cached, "made_from", None) != wanted:
        model = unpack(packed, "the model")
        _cached.scorer = Scorer(model, workers=1, explain=explain, taxonomy=taxonomy, rules=rules)
        _cached.made_from = wanted
    scorer: Scorer = _cached.scorer
    return scorer


@contextmanager
def connected(cluster: str | Any) -> Iterator[Any]:  # noqa: ANN401 - Dask is optional
    """Connect to a Dask cluster, or start a local one, for the duration of the block.

    Args:
        cluster: ``tcp://HOST:PORT`` or another scheduler address; ``local`` or ``local:N`` for N workers on
            this machine, by default one per core; or a `distributed.Client`, which is left open.

    Raises:
        ClusterError: Dask is missing, no scheduler answers, no worker joins, or one has no outsort or
            another version of it; also if the cluster fails inside the block.
    """
    try:
        import distributed
        from dask import config
    except ImportError:
        raise ClusterError(_NO_DASK) from None
    if isinstance(cluster, distributed.Client):
        _check_workers(cluster)
        with _explained(cluster):
            yield cluster
        return
    # Do not warn about the size of the model: it is sent only once.
    with config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}), _started(cluster) as address:
        try:
            client = distributed.Client(address, timeout=_CONNECT_TIMEOUT, set_as_default=False)
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            raise ClusterError(
                f"{cluster}: no Dask scheduler answers ({first_line(error)}). Start one with 'dask "
                f"scheduler', or run on this machine with {LOCAL}."
            ) from None
        try:
            _check_workers(client)
            with _explained(client):
                yield client
        finally:
            client.close()


@contextmanager
def _started(cluster: str) -> Iterator[Any]:
    """Yield an address unchanged; for ``local``, start a cluster reachable only from this machine."""
    name, _, number = cluster.partition(":")
    if name != LOCAL:
        yield cluster
        return
    if number and (not number.isdecimal() or not int(number)):
        raise ClusterError(f"{cluster}: use {LOCAL}, or {LOCAL}:N for N workers.")
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
        client.wait_for_workers(1, timeout=_CONNECT_TIMEOUT)
    except TimeoutError:
        raise ClusterError(
            f"{address}: the scheduler has no workers. Start one with 'dask worker {address}'."
        ) from None
    _check_versions(client)


def _check_versions(client: Any) -> None:  # noqa: ANN401
    address = client.scheduler.address
    # A function of the standard library, so that a worker without outsort can run it and report the error.
    query = (pkgutil.resolve_name, "outsort:__version__")
    found = client.run(*query, on_error="return")
    try:
        # The scheduler unpickles the tasks it passes on.
        found["scheduler"] = client.run_on_scheduler(*query)
    except ImportError as error:
        found["scheduler"] = error
    for place, version in found.items():
        where = place if place == "scheduler" else f"worker {place}"
        if isinstance(version, Exception):
            raise ClusterError(
                f"{address}: the {where} has no outsort ({first_line(version)}). Install outsort {__version__} there."
            )
        if version != __version__:
            raise ClusterError(_other_version(f"{address}: the {where}", version, __version__))


def _other_version(who: str, found: str, wanted: str) -> str:
    return f"{who} has outsort {found}, not {wanted}. Install outsort {wanted} there."


@contextmanager
def _explained(client: Any, what: str = "a task") -> Iterator[None]:  # noqa: ANN401
    """Turn the exceptions Dask raises when a cluster fails into a `ClusterError`."""
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
            f"{address}: {what} killed every worker that ran it. If they ran out of memory, give them more, "
            "or fewer threads each."
        ) from None
    except Exception as error:
        # Interrupted work raises many kinds of error for one cause; the client may not know it yet.
        if client.status == "running" and not isinstance(error, (CancelledError, CommClosedError)):
            raise
        who = "a worker holding data" if client.status == "running" else "the scheduler"
        raise ClusterError(f"{address}: {who} is gone. Run again; finished outputs are kept.") from error


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
    tell: Callable[[str], None] = warn,
) -> dict[str, int]:
    """Do what `folder.score_files` does, on a cluster whose workers share the folders.

    Args:
        sources: files, and patterns such as ``parts/*.parquet``, with the same columns and types.
        output: the folder; created if missing.
        model: the model; the default model if None.
        cluster: see `connected`.
        options: how to read and score; `Options()` if None; `workers` is ignored.
        force: replace existing outputs.
        resume: skip outputs that are already complete.
        progress: called after each file with the rows done and the fraction of files done, 0 to 1.
        tell: see `files.score_file`.

    Returns:
        Number of rows of each output written.

    Raises:
        ClusterError: see `connected`; or a worker cannot see the folder. Finished outputs are kept.
        DataError: an input cannot be read, or its columns differ from those of the first.
        OutputError: see `batch_run`.
    """
    options = options or files.Options()
    model = model or load()
    paths = folder.expand(sources)
    if "-" in paths:
        raise DataError("standard input cannot be scored on a cluster. Name files that its workers can see.")
    with batch_run(paths, output, model, options, force=force, resume=resume) as run:
        if not run.missing:
            run.start()
            return {}
        with connected(cluster) as client:
            _check_columns(client, paths, options)
            run.start()
            _check_folder(client, output)
            tasks = client.map(
                _score_job,
                [_absolute(job.source) for job in run.missing],
                [_absolute(job.target) for job in run.missing],
                packed=client.submit(bytes, pack(model), pure=False),
                version=__version__,
                options=options,
                pure=False,
            )
            n_total = 0
            for n_done, (job, (n_rows, told)) in enumerate(_results(client, run.missing, tasks), 1):
                for message in told:
                    tell(message)
                run.finish(job, n_rows)
                n_total += n_rows
                if progress:
                    progress(n_total, n_done / len(tasks))
    return {str(job.target): run.counts[str(job.target)] for job in run.missing}


def _absolute(path: Path | str) -> str:
    """Return a path that does not depend on a worker's current directory."""
    return os.path.abspath(path)  # noqa: PTH100 - keep links as given


def _score_job(source: str, target: str, *, packed: bytes, version: str, options: Options) -> tuple[int, list[str]]:
    scorer = _scorer(packed, explain=options.explain, version=version, taxonomy=options.taxonomy, rules=options.rules)
    # `force`, because another worker may have written the output and been lost before it could report it.
    told: list[str] = []
    return files.score_file(source, target, scorer, options=options, force=True, tell=told.append), told


def _schema(source: str, *, options: Options) -> list[tuple[str, str]]:
    if not os.path.exists(source):  # noqa: PTH110
        raise ClusterError(f"a worker cannot see {source}. {_SHARE}")
    return files.schema_of(source, options)


def _check_columns(client: Any, paths: Sequence[str], options: Options) -> None:  # noqa: ANN401
    """Check that all files have the same columns before any is scored, by reading the head of each."""
    tasks = client.map(_schema, [_absolute(path) for path in paths], options=options, pure=False)
    schemas = dict(_results(client, paths, tasks))
    first = dict(schemas[paths[0]])
    for path in paths:
        odd = schemas[path]
        if odd == schemas[paths[0]]:
            continue
        found = dict(odd)
        differs = [f"no {name!r}" for name in first if name not in found]
        differs += [f"an extra {name!r}" for name in found if name not in first]
        differs += [
            f"{name!r} as {found[name]}, not {first[name]}"
            for name in first
            if found.get(name, first[name]) != first[name]
        ]
        raise DataError(
            f"{path}: its columns differ from those of {paths[0]}: it has "
            f"{', '.join(differs) or 'them in another order'}. Score it into a folder of its own."
        )


def _check_folder(client: Any, output: Path) -> None:  # noqa: ANN401
    for worker, seen in client.run(os.path.isfile, _absolute(output / MANIFEST), on_error="return").items():
        if seen is not True:
            raise ClusterError(f"worker {worker} cannot see {output}. {_SHARE}")


def _results(client: Any, items: Sequence[_T], tasks: Sequence[Any]) -> Iterator[tuple[_T, Any]]:  # noqa: ANN401
    """Yield each item with the result of its task, as they finish; cancel the rest at the first error."""
    from distributed import as_completed

    item_of = {task.key: item for task, item in zip(tasks, items, strict=True)}
    # With results, so that Dask fetches them: if a worker is lost, Dask waits for its result, not this loop.
    waiting = as_completed(tasks, loop=client.loop, with_results=True, raise_errors=False)
    last_seen = time.monotonic()
    try:
        while not waiting.is_empty():
            for task, result in waiting.next_batch(block=False):
                item = item_of[task.key]
                if task.status in ("error", "cancelled"):
                    with _explained(client, str(getattr(item, "source", item))):
                        _fail(client, task)
                task.release()
                yield item, result
            now = time.monotonic()
            if now - last_seen > _POLL_WORKERS:
                if _has_workers(client):
                    last_seen = now
                elif now - last_seen > _NO_WORKER_TIMEOUT:
                    raise ClusterError(
                        f"{client.scheduler.address}: has had no workers for {_NO_WORKER_TIMEOUT:.0f} s. "
                        "Start one and run again with --resume."
                    )
            time.sleep(_POLL_TASKS)
    finally:
        for task in tasks:
            task.release()


def _has_workers(client: Any) -> bool:  # noqa: ANN401
    try:
        return bool(client.nthreads())
    except OSError:
        # The scheduler does not answer; if it is gone, the tasks will fail and say so.
        return True


def _fail(client: Any, task: Any) -> None:  # noqa: ANN401
    """Raise the exception of a failed task."""
    from distributed import KilledWorker

    try:
        task.result()
    except (ImportError, AttributeError, TypeError, KilledWorker):
        # A worker that joined later may have no outsort, or a version without this task.
        _check_versions(client)
        raise


def score_dask(
    dataframe: Any,  # noqa: ANN401 - Dask is optional
    model: Model | None = None,
    *,
    text_column: str | Sequence[str] | None = None,
    prefix: str | None = None,
    explain: bool = False,
    rules: Rules | None = None,
) -> Any:  # noqa: ANN401
    """Score every row of a Dask DataFrame, lazily and partition by partition.

    Args:
        dataframe: a Dask DataFrame.
        model: the model; the default model if None. It is one key of the graph, sent to each worker once.
        text_column: the text column, or several to join, see `frames.score`; found by its heading if None.
        prefix: prefix for added columns; if None, only used when a name is taken.
        explain: add the top terms for and against each label.
        rules: let the rules of `outsort.load_rules` decide before the model.

    Returns:
        A Dask DataFrame with the same partitions, rows, index and columns, and the columns `Scorer.added`
        appended.

    Raises:
        ClusterError: Dask is missing; when computed, a worker has another version of outsort.
        DataError: there is no text column; when computed, a partition has other columns or types.
        TypeError: `dataframe` is not a Dask DataFrame.
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
        rules=rules,
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
    rules: Rules | None,
    version: str,
) -> pd.DataFrame:
    from dask.dataframe.utils import check_meta

    try:
        check_meta(frame, empty)
    except ValueError as error:
        raise DataError(
            f"a partition has other columns or types than the table. Fix it before scoring. {error}"
        ) from None
    scorer = _scorer(packed, explain=explain, version=version, rules=rules)
    # As one of several: all partitions are read alike.
    (scored,) = frames.score([frame], scorer, text_column=text_column, prefix=prefix)
    return cast("pd.DataFrame", scored)


@contextmanager
def parallel_on(cluster: str | Any) -> Iterator[None]:  # noqa: ANN401
    """Run training and evaluation inside the block on a cluster, through joblib's Dask backend.

    Args:
        cluster: see `connected`.

    Raises:
        ClusterError: see `connected`.
    """
    import joblib

    with connected(cluster) as client, joblib.parallel_config("dask", n_jobs=-1, client=client):
        yield
