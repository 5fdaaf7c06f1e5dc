"""A real cluster on this machine: a scheduler and two workers, each a process of its own."""

import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import outsort as package
from outsort import save_model
from outsort.errors import ClusterError, DataError, OutputError
from outsort.scoring import cluster, folder
from outsort.scoring.files import Options
from outsort.scoring.scorer import added_columns

pytest.importorskip("distributed", reason="needs pip install 'outsort[cluster]'")

import dask
import dask.dataframe as dd
from distributed import Client

pytestmark = pytest.mark.slow

N_PARTS = 8
WORDS = [
    *("key", "invoices", "draft", "contract", "translate", "clean"),
    *("office", "model", "zzz", "500", "Übersetzung", "翻訳", "subtitles"),
]


def start(*arguments, until, **options):
    """Start a Dask process and return it with what its log says where `until` matches."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *map(str, arguments)], stderr=subprocess.PIPE, text=True, **options
    )
    for line in process.stderr:
        found = re.search(until, line)
        if found:
            return process, found
    raise AssertionError(f"dask {arguments} ended without a word of {until}")


@contextmanager
def scheduler(**options):
    process, found = start(
        *("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
        until=r"Scheduler at:\s+(tcp://\S+)",
        **options,
    )
    with ended(process):
        yield process, found[1]


@contextmanager
def worker(address, *arguments, **options):
    process, _ = start(
        *("worker", address, "--nthreads", 1, "--no-dashboard", "--no-nanny", *arguments),
        until=r"Registered to:",
        **options,
    )
    with ended(process):
        yield process


@contextmanager
def ended(process):
    try:
        yield
    finally:
        process.kill()
        process.communicate()


@contextmanager
def counted(client, home, name):
    """Count the calls of a function or method on each worker, while the block lasts."""

    # Functions within a function travel whole: workers do not know this module.
    def install(home, name):
        home = pkgutil.resolve_name(home)
        original = getattr(home, name)

        def counting(*arguments, **options):
            counting.n_calls += 1
            return original(*arguments, **options)

        counting.n_calls, counting.original = 0, original
        setattr(home, name, counting)

    def ask(home, name):
        return getattr(pkgutil.resolve_name(home), name).n_calls

    def remove(home, name):
        home = pkgutil.resolve_name(home)
        setattr(home, name, getattr(home, name).original)

    client.run(install, home, name)
    try:
        yield lambda: list(client.run(ask, home, name).values())
    finally:
        client.run(remove, home, name)


@pytest.fixture(scope="module")
def address():
    """A scheduler with two workers, for all tests that leave them whole."""
    with ExitStack() as stack:
        _, found = stack.enter_context(scheduler())
        for _ in range(2):
            stack.enter_context(worker(found))
        yield found


@pytest.fixture(scope="module")
def table(request):
    """Rows of every kind of text, beside columns that a careless tool would spoil."""
    n_rows = request.config.getoption("--rows")
    rng = np.random.default_rng(0)
    lengths, words = rng.integers(0, 8, n_rows), rng.choice(WORDS, (n_rows, 8))
    texts = [" ".join(row[:n]) for row, n in zip(words, lengths, strict=True)]
    return pa.table(
        {
            "id": pa.array(range(n_rows), pa.int32()),
            "code": [f"{i:06d}" for i in range(n_rows)],
            "price": pa.array(rng.random(n_rows), pa.float32()),
            "description": pa.array([None if i % 97 == 0 else text for i, text in enumerate(texts)]),
        }
    )


@pytest.fixture(scope="module")
def tasks(table, tmp_path_factory):
    """The rows as a folder of parts, one of them empty."""
    folder = tmp_path_factory.mktemp("tasks")
    for i in range(N_PARTS):
        size = table.num_rows // (N_PARTS - 1) + 1
        pq.write_table(table.slice(i * size, size), folder / f"part-{i}.parquet")
    assert pq.read_table(folder / f"part-{N_PARTS - 1}.parquet").num_rows == 0
    return folder


@pytest.fixture(scope="module")
def expected(tasks, model, tmp_path_factory):
    """What one machine answers."""
    out = tmp_path_factory.mktemp("expected")
    folder.score_files([f"{tasks}/*.parquet"], out, model)
    return pq.read_table(out)


@pytest.fixture
def model_file(model, tmp_path):
    save_model(model, tmp_path / "m.joblib")
    return tmp_path / "m.joblib"


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


ALL_NAMES = ["_outsort-run.json", *(f"part-{i}.parquet" for i in range(N_PARTS))]


class TestScore:
    def test_the_rows_are_those_of_one_machine(
        self, outsort, address, tasks, expected, table, tmp_path, model, model_file
    ):
        out = tmp_path / "scored"
        done = outsort("score", f"{tasks}/*.parquet", "-o", f"{out}/", "--cluster", address, "-m", model_file)
        assert done.code == 0
        assert names_in(out) == ALL_NAMES
        got = pq.read_table(out)
        assert got.equals(expected)
        assert got.select(table.column_names).equals(table)
        manifest = json.loads((out / "_outsort-run.json").read_text())
        assert manifest["model"] == model.fingerprint
        assert {name: (p["source"], p["rows"]) for name, p in manifest["jobs"].items()} == {
            path.name: (str(path), pq.read_metadata(path).num_rows) for path in tasks.iterdir()
        }

    def test_a_local_cluster_writes_csv_too(self, outsort, tasks, expected, tmp_path, model_file):
        out = tmp_path / "scored"
        run = ("score", tasks / "part-0.parquet", tasks / f"part-{N_PARTS - 1}.parquet", "-o", f"{out}/")
        assert outsort(*run, "--cluster", "local:1", "-m", model_file, "--to", "csv").code == 0
        scored = pd.read_csv(out / "part-0.csv", dtype={"code": str})
        assert scored["code"].tolist() == expected["code"].to_pylist()[: len(scored)]
        assert scored["label"].tolist() == expected["label"].to_pylist()[: len(scored)]
        assert pd.read_csv(out / f"part-{N_PARTS - 1}.csv").empty

    def test_a_client_of_the_users_is_used_and_left_open(self, address, tasks, tmp_path, model):
        with Client(address, set_as_default=False) as client:
            counts = cluster.score_files(
                [str(tasks / "part-1.parquet")], tmp_path / "out", model, cluster=client, options=Options()
            )
            assert list(counts) == [str(tmp_path / "out" / "part-1.parquet")]
            assert client.status == "running"

    def test_each_worker_makes_the_model_ready_once(self, address, tasks, tmp_path, two_class_model):
        unpacked = ("outsort.scoring.cluster", "unpack")
        with Client(address, set_as_default=False) as client, counted(client, *unpacked) as times:
            cluster.score_files([f"{tasks}/*.parquet"], tmp_path / "out", two_class_model, cluster=client)
            assert sum(times()) >= 1
            assert max(times()) == 1


class TestWhatIsMissing:
    def test_a_second_run_does_only_that(self, outsort, address, tasks, expected, tmp_path, model_file):
        out = tmp_path / "scored"
        run = ("score", f"{tasks}/*.parquet", "-o", f"{out}/", "--cluster", address, "-m", model_file)
        outsort(*run)
        before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
        (out / "part-3.parquet").unlink()
        assert "already holds the outputs of a run. Pass --resume" in outsort(*run).err
        done = outsort(*run, "--resume")
        n_rows = pq.read_metadata(tasks / "part-3.parquet").num_rows
        read = f"{tasks}/part-3.parquet: text column 'description', {n_rows:,} rows\n"
        assert done.err == f"{read}{out}/part-3.parquet: {n_rows:,} rows\n"
        after = {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
        assert {name for name in after if after[name] != before[name]} == {"part-3.parquet"}
        assert pq.read_table(out).equals(expected)
        assert outsort(*run, "--resume").err == ""

    def test_parts_that_are_all_there_need_no_cluster_and_are_noted(self, tasks, tmp_path, model):
        out = tmp_path / "scored"
        folder.score_files([str(tasks / "part-0.parquet")], out, model)
        manifest = json.loads((out / "_outsort-run.json").read_text())
        unnoted = {"jobs": {"part-0.parquet": manifest["jobs"]["part-0.parquet"] | {"rows": None}}}
        (out / "_outsort-run.json").write_text(json.dumps(manifest | unnoted))
        sources = [str(tasks / "part-0.parquet")]
        assert cluster.score_files(sources, out, model, cluster="tcp://127.0.0.1:9", resume=True) == {}
        assert json.loads((out / "_outsort-run.json").read_text()) == manifest

    def test_a_worker_killed_as_it_writes_leaves_nothing(self, tasks, expected, tmp_path, model):
        preload = tmp_path / "dies.py"
        preload.write_text("import os\nos.fsync = lambda handle: os.kill(os.getpid(), 9)\n")
        with scheduler() as (_, address), worker(address, "--preload", preload) as dying, worker(address):
            cluster.score_files([f"{tasks}/*.parquet"], tmp_path / "out", model, cluster=address)
            assert dying.wait() == -signal.SIGKILL
        assert names_in(tmp_path / "out") == ALL_NAMES
        assert pq.read_table(tmp_path / "out").equals(expected)

    def test_the_scheduler_killed_loses_no_finished_part(self, tasks, expected, tmp_path, model):
        out = tmp_path / "out"
        finished = {}

        def kill(*_):
            finished.update({path: path.stat().st_mtime_ns for path in out.glob("*.parquet")})
            process.kill()

        with (
            scheduler() as (process, address),
            worker(address),
            worker(address),
            pytest.raises(ClusterError, match="the scheduler is gone"),
        ):
            cluster.score_files([f"{tasks}/*.parquet"], out, model, cluster=address, progress=kill)
        assert finished
        cluster.score_files([f"{tasks}/*.parquet"], out, model, cluster="local:1", resume=True)
        assert {path: path.stat().st_mtime_ns for path in finished} == finished
        assert names_in(out) == ALL_NAMES
        assert pq.read_table(out).equals(expected)
        manifest = json.loads((out / "_outsort-run.json").read_text())
        assert sum(part["rows"] for part in manifest["jobs"].values()) == expected.num_rows

    def test_a_part_that_ends_every_worker_is_named(self, tasks, tmp_path, model):
        preload = tmp_path / "dies.py"
        preload.write_text("import os\nos.fsync = lambda handle: os.kill(os.getpid(), 9)\n")
        part = tasks / "part-0.parquet"
        one_death = os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        with (
            scheduler(env=one_death) as (_, address),
            worker(address, "--preload", preload),
            pytest.raises(ClusterError, match=rf"{part} killed every worker that ran it"),
        ):
            cluster.score_files([str(part)], tmp_path / "out", model, cluster=address)
        assert not (tmp_path / "out").exists()

    def test_a_cluster_left_without_workers_is_not_waited_for_forever(self, tasks, tmp_path, model, monkeypatch):
        monkeypatch.setattr(cluster, "_NO_WORKER_TIMEOUT", 1.0)
        with (
            scheduler() as (_, address),
            worker(address) as only,
            pytest.raises(ClusterError, match="has had no workers for 1 s"),
        ):
            cluster.score_files(
                [f"{tasks}/*.parquet"], tmp_path / "out", model, cluster=address, progress=lambda *_: only.kill()
            )


class TestBadInput:
    def test_nobody_answers(self, outsort, tasks, tmp_path, monkeypatch):
        monkeypatch.setattr(cluster, "_CONNECT_TIMEOUT", 0.5)
        for wrong in ("tcp://127.0.0.1:9", "nonsense://x"):
            done = outsort("score", f"{tasks}/*.parquet", "-o", f"{tmp_path}/out/", "--cluster", wrong)
            assert done.code == 1
            assert done.err.startswith(f"outsort: {wrong}: no Dask scheduler answers (")
            assert "Start one with 'dask scheduler'" in done.err
        assert not (tmp_path / "out").exists()

    def test_a_scheduler_without_workers(self, tasks, tmp_path, model, monkeypatch):
        monkeypatch.setattr(cluster, "_CONNECT_TIMEOUT", 0.5)
        with scheduler() as (_, address), pytest.raises(ClusterError, match=r"has no workers\. Start one"):
            cluster.score_files([f"{tasks}/*.parquet"], tmp_path / "out", model, cluster=address)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("raise ModuleNotFoundError(\"No module named 'outsort'\")", "has no outsort"),
            ("__version__ = '0.0.1'", r"has outsort 0\.0\.1, not"),
        ],
    )
    def test_a_worker_without_outsort_or_with_another(self, content, message, tasks, tmp_path, model):
        (tmp_path / "outsort").mkdir()
        (tmp_path / "outsort" / "__init__.py").write_text(content)
        with (
            scheduler() as (_, address),
            worker(address, env={"PYTHONPATH": str(tmp_path)}),
            pytest.raises(ClusterError, match=rf"worker tcp://\S+ {message}"),
        ):
            cluster.score_files([f"{tasks}/*.parquet"], tmp_path / "out", model, cluster=address)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("odd", "message"),
        [
            (pa.table({"id": ["x"], "description": ["a"]}), "'id' as string, not int32"),
            (pa.table({"description": ["a"]}), "no 'id'"),
            (pa.table({"id": pa.array([1], pa.int32()), "description": ["a"], "n": [1]}), "an extra 'n'"),
            (pa.table({"description": ["a"], "id": pa.array([1], pa.int32())}), "them in another order"),
        ],
    )
    def test_a_part_with_other_columns_or_types(self, odd, message, address, tmp_path, model):
        (tmp_path / "in").mkdir()
        even = pa.table({"id": pa.array([1], pa.int32()), "description": ["a"]})
        for i, part in enumerate((even, odd, even)):
            pq.write_table(part, tmp_path / "in" / f"{i}.parquet")
        with pytest.raises(DataError, match=rf"in/1\.parquet: its columns differ from those of .*: it has {message}"):
            cluster.score_files([f"{tmp_path}/in/*.parquet"], tmp_path / "out", model, cluster=address)
        assert not (tmp_path / "out").exists()

    def test_a_broken_part_is_named_and_the_others_stand(self, address, tmp_path, model):
        (tmp_path / "in").mkdir()
        for i in range(6):
            (tmp_path / "in" / f"{i}.csv").write_text("id,task\n1,key invoices\n" + "2\n" * (i == 5))
        with pytest.raises(DataError, match=r"in/5\.csv, row 3 has 1 cell "):
            cluster.score_files([f"{tmp_path}/in/*.csv"], tmp_path / "out", model, cluster=address)
        manifest = json.loads((tmp_path / "out" / "_outsort-run.json").read_text())
        finished = [name for name, part in manifest["jobs"].items() if part["rows"] is not None]
        assert len(manifest["jobs"]) == 6
        assert set(finished) <= set(names_in(tmp_path / "out"))
        assert "5.csv" not in names_in(tmp_path / "out")

    def test_the_folder_of_another_run(self, address, tasks, tmp_path, model, two_class_model):
        out = tmp_path / "out"
        sources = [str(tasks / "part-0.parquet")]
        cluster.score_files(sources, out, model, cluster=address)
        with pytest.raises(OutputError, match="started with another model"):
            cluster.score_files(sources, out, two_class_model, cluster=address, resume=True)
        (tmp_path / "other").mkdir()
        other = tmp_path / "other" / "part-0.parquet"
        other.write_bytes((tasks / "part-0.parquet").read_bytes())
        with pytest.raises(OutputError, match=rf"was made from another {tasks}/part-0"):
            cluster.score_files([str(other)], out, model, cluster=address, resume=True)

    def test_a_folder_that_workers_do_not_see(self, address, tasks, tmp_path, model, monkeypatch):
        monkeypatch.setattr(cluster, "_absolute", lambda path: str(path).replace("out", "elsewhere"))
        with pytest.raises(ClusterError, match=r"cannot see .*\. This machine and all workers must share"):
            cluster.score_files([str(tasks / "part-0.parquet")], tmp_path / "out", model, cluster=address)

    def test_what_does_not_go_together(self, outsort, tasks, tmp_path):
        part = tasks / "part-0.parquet"
        done = outsort("score", part, "-o", tmp_path / "o.parquet", "--cluster", "local")
        assert (done.code, "needs an output folder" in done.err) == (2, True)
        done = outsort("score", part, "-o", f"{tmp_path}/", "--cluster", "local", "--workers", "2")
        assert (done.code, "cannot be combined with" in done.err) == (2, True)
        done = outsort("score", part, "-o", f"{tmp_path}/", "--cluster", "local:0")
        assert (done.code, "use local, or local:N" in done.err) == (1, True)
        done = outsort("score", "-", "-o", f"{tmp_path}/", "--cluster", "local")
        assert (done.code, "standard input cannot be scored on a cluster" in done.err) == (1, True)

    def test_a_scheduler_without_outsort(self, tasks, tmp_path, model):
        (tmp_path / "outsort.py").write_text("raise ModuleNotFoundError('none here')")
        with (
            scheduler(env={"PYTHONPATH": str(tmp_path)}) as (_, address),
            worker(address),
            pytest.raises(ClusterError, match=r"the scheduler has no outsort \(none here\)"),
        ):
            cluster.score_files([f"{tasks}/*.parquet"], tmp_path / "out", model, cluster=address)

    def test_a_worker_of_another_version_that_joins_later(self, address, tasks, tmp_path, model, monkeypatch):
        monkeypatch.setattr(cluster, "_check_versions", lambda _: None)
        monkeypatch.setattr(cluster, "__version__", "9.9.9")
        with pytest.raises(ClusterError, match=r"a worker has outsort 0\S+, not 9\.9\.9"):
            cluster.score_files([f"{tasks}/*.parquet"], tmp_path / "out", model, cluster=address)
        assert not (tmp_path / "out").exists()

    def test_without_dask_it_says_what_to_install(self, outsort, tasks, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        done = outsort("score", tasks / "part-0.parquet", "-o", f"{tmp_path}/", "--cluster", "local")
        assert done.err == "outsort: a cluster needs Dask; install it with pip install 'outsort[cluster]'.\n"


class TestScoreDask:
    @pytest.fixture
    def frame(self):
        texts = ["key invoices", "draft a contract", "", None, "mop office floors", "zzz"]
        return pd.DataFrame({"code": [f"{i:03d}" for i in range(6)], "task": texts}, index=range(10, 16))

    @pytest.mark.parametrize("n_partitions", [1, 2, 6])
    def test_partitions_index_columns_and_answers_stay(self, frame, model, n_partitions):
        data = dd.from_pandas(frame, npartitions=n_partitions)
        scored = package.score_dask(data, model)
        assert scored.divisions == data.divisions
        assert list(scored.columns) == [*frame.columns, *added_columns(model)]
        result = scored.compute(scheduler="threads")
        pd.testing.assert_frame_equal(result, package.score(data.compute(), model))

    def test_on_a_cluster_the_answers_are_the_same(self, frame, model, address):
        with Client(address, set_as_default=False) as client:
            scored = package.score_dask(dd.from_pandas(frame, npartitions=3), model, explain=True)
            result = client.compute(scored).result()
        expected = package.score(dd.from_pandas(frame, npartitions=1).compute(), model, explain=True)
        pd.testing.assert_frame_equal(result, expected)

    def test_an_empty_partition_has_the_types_of_the_others(self, frame, model):
        data = dd.from_pandas(frame, npartitions=3)
        scored = package.score_dask(data[data["code"] > "003"], model)
        parts = dask.compute(*scored.to_delayed(), scheduler="sync")
        assert [len(part) for part in parts] == [0, 0, 2]
        for part in parts:
            assert part.dtypes.equals(scored.dtypes)

    def test_a_partition_with_other_types_is_shown(self, frame, model):
        odd = frame.assign(code=range(6))
        data = dd.from_map(lambda part: part, [frame, odd], meta=frame.iloc[:0])
        with pytest.raises(DataError, match="a partition has other columns or types than the table"):
            package.score_dask(data, model).compute(scheduler="sync")

    def test_bad_arguments_are_known_at_once(self, frame, model):
        data = dd.from_pandas(frame, npartitions=2)
        with pytest.raises(DataError, match="no column 'nope'"):
            package.score_dask(data, model, text_column="nope")
        with pytest.raises(TypeError, match="expected a Dask DataFrame, got DataFrame"):
            package.score_dask(frame, model)


class TestTrainAndEvaluate:
    def test_the_model_is_the_one_of_one_machine(self, outsort, address, csv_file, tmp_path):
        here = outsort("train", csv_file, "-o", tmp_path / "here.joblib", "--folds", "3")
        there = outsort("train", csv_file, "-o", tmp_path / "there.joblib", "--folds", "3", "--cluster", address)
        assert (here.code, there.code) == (0, 0)
        assert (tmp_path / "here.joblib").read_bytes() == (tmp_path / "there.joblib").read_bytes()

    def test_every_fold_is_fitted_there(self, address, csv_file):
        folds = ("outsort.training.folds", "_held_out")
        with Client(address, set_as_default=False) as client, counted(client, *folds) as fitted:
            with cluster.parallel_on(client):
                package.train(csv_file, checks=package.Checks(folds=3))
            assert sum(fitted()) == 5  # three at random, two of whole lines

    def test_the_scores_are_those_of_one_machine(self, outsort, address, csv_file, model_file, monkeypatch):
        monkeypatch.setattr("outsort.evaluation.evaluate._TEXTS_PER_TASK", 4)
        run = ("evaluate", csv_file, "-m", model_file, "--json")
        pieces = ("outsort.evaluation.evaluate", "_answered")
        with Client(address, set_as_default=False) as client, counted(client, *pieces) as answered:
            assert outsort(*run, "--cluster", address).out == outsort(*run).out
            assert sum(answered()) == 4

    def test_nobody_answers(self, outsort, csv_file, tmp_path, monkeypatch):
        monkeypatch.setattr(cluster, "_CONNECT_TIMEOUT", 0.5)
        done = outsort("train", csv_file, "-o", tmp_path / "m.joblib", "--cluster", "tcp://127.0.0.1:9")
        assert done.code == 1
        assert "no Dask scheduler answers" in done.err
        assert not (tmp_path / "m.joblib").exists()
