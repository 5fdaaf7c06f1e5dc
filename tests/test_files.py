import errno
import os
import resource
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from outsort.errors import OutputError
from outsort.files import locked, sweep, written_whole


def test_a_file_is_written_atomically(tmp_path):
    with written_whole(tmp_path / "out", force=False) as file:
        file.write(b"content")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out").read_bytes() == b"content"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_output_is_as_readable_as_any_file(tmp_path):
    (tmp_path / "ordinary").touch()
    with written_whole(tmp_path / "out", force=False):
        pass
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()])
def test_after_an_error_only_the_old_file_is_left(tmp_path, error):
    (tmp_path / "out").write_bytes(b"old")

    def fail_half_way():
        with written_whole(tmp_path / "out", force=True) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        fail_half_way()
    assert (tmp_path / "out").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_one_message_and_no_half_file(tmp_path):
    with (
        pytest.raises(OutputError, match=r"out: cannot be written \(No space left on device\)"),
        written_whole(tmp_path / "out", force=False),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_replaced_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "private.csv"
    path.write_bytes(b"old")
    path.chmod(mode)
    with written_whole(path, force=True) as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == mode
        file.write(b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give a file away")
def test_a_replaced_file_keeps_its_owner_and_group(tmp_path):
    path = tmp_path / "theirs.csv"
    path.touch()
    os.chown(path, 1234, 4321)
    with written_whole(path, force=True):
        pass
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 4321)


@pytest.mark.parametrize("content", [b"old", None], ids=["to a file", "to none"])
def test_a_link_stays_and_leads_to_the_new_content(tmp_path, content):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "data.csv", tmp_path / "link.csv"
    if content is not None:
        target.write_bytes(content)
    link.symlink_to("there/data.csv")
    with written_whole(link, force=True) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["data.csv", "link.csv", "there"]


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("nowhere/data.csv", r"link: the folder .*nowhere does not exist\. Create it first\."),
        ("link", r"link: cannot be written \(Too many levels of symbolic links\)\."),
        (".", r"link: is a directory\."),
    ],
)
def test_a_link_that_leads_to_no_file_is_told(tmp_path, to, told):
    (tmp_path / "link").symlink_to(to)
    with pytest.raises(OutputError, match=told), written_whole(tmp_path / "link", force=True):
        pass


def test_content_is_on_the_disk_before_its_name_and_then_its_name(tmp_path, monkeypatch):
    steps = []

    def noted(name, function, of):
        def step(*arguments):
            steps.append((name, of(arguments[0])))
            return function(*arguments)

        return step

    def kind(handle):
        return "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"

    monkeypatch.setattr(os, "fsync", noted("sync", os.fsync, kind))
    monkeypatch.setattr(Path, "replace", noted("rename", Path.replace, lambda path: path.suffix))
    with written_whole(tmp_path / "out", force=False):
        pass
    assert steps == [("sync", "file"), ("rename", ".part"), ("sync", "folder")]


def killed_while_writing(path):
    """Run a process that is killed with half of a file written."""
    script = f"""
import os, pathlib
from outsort.files import written_whole
with written_whole(pathlib.Path({str(path)!r}), force=True) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9


def test_what_a_killed_writer_left_goes_with_the_next_that_writes_the_file(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    killed_while_writing(tmp_path / "a.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".a.csv.outsort.lock", ".a.csv.outsort.part", "a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"
    with written_whole(tmp_path / "b.csv", force=True):
        assert (tmp_path / ".a.csv.outsort.part").exists()
    with written_whole(tmp_path / "a.csv", force=True) as file:
        file.write(b"whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "b.csv"]
    assert (tmp_path / "a.csv").read_text() == "whole"


def test_a_sweep_takes_what_killed_writers_left_and_nothing_else(tmp_path):
    killed_while_writing(tmp_path / "a.csv")
    mine = [".a.csv.notes", ".a.csv.part", "c.part"]
    for name in mine:
        (tmp_path / name).write_text("mine")
    with written_whole(tmp_path / "b.csv", force=False) as file:
        sweep([tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "nowhere" / "d.csv"])
        file.write(b"whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*mine, "b.csv"])
    assert (tmp_path / "b.csv").read_bytes() == b"whole"


def test_a_second_writer_waits_for_the_first(tmp_path):
    path = tmp_path / "out"

    def second():
        with written_whole(path, force=True) as file:
            file.write(path.read_bytes() + b"second")

    with ThreadPoolExecutor(1) as pool:
        with written_whole(path, force=True) as file:
            waiting = pool.submit(second)
            file.write(b"first, ")
        waiting.result()
    assert path.read_bytes() == b"first, second"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_another_run_creates_meanwhile_is_not_replaced_without_force(tmp_path):
    path = tmp_path / "out"

    def second():
        with written_whole(path, force=False):
            pass

    with ThreadPoolExecutor(1) as pool:
        with locked(path, force=False):
            waiting = pool.submit(second)
            path.write_bytes(b"first")
        with pytest.raises(OutputError, match="already exists"):
            waiting.result()
    assert path.read_bytes() == b"first"


def test_a_lock_that_is_held_for_long_is_told(tmp_path):
    path = tmp_path / "out"

    def second():
        with locked(path, force=True, patience=0):
            pass

    with ThreadPoolExecutor(1) as pool, locked(path, force=True):
        waiting = pool.submit(second)
        with pytest.raises(OutputError, match=r"out: another run is still writing it\. Try again when it has ended\."):
            waiting.result()


def test_a_folder_that_can_hold_no_lock_is_told(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with (
        pytest.raises(OutputError, match=r"out: its lock .*/\.out\.outsort\.lock cannot be taken \(No locks av"),
        written_whole(tmp_path / "out", force=True),
    ):
        pass


def on_a_small_disk(*arguments):
    """Run the command where no file can grow beyond 100 bytes: a write fails half way, as on a full disk.

    Python would cut what it compiles short, and keep that for the next run: so it keeps nothing.
    """
    return subprocess.run(
        [sys.executable, "-B", "-m", "outsort", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )


FORMATS = ["csv", "tsv", "jsonl", "parquet", "xlsx", "csv.gz", "csv.zst", "jsonl.gz", "jsonl.zst"]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_disk_that_fills_is_one_message_in_every_format(tmp_path, suffix):
    (tmp_path / "in.csv").write_text("task\nkey\n")
    done = on_a_small_disk("score", tmp_path / "in.csv", "-o", tmp_path / f"out.{suffix}")
    assert (done.returncode, done.stderr) == (
        1,
        f"outsort: {tmp_path}/out.{suffix}: cannot be written (File too large).\n",
    )
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["queue.csv", "queue.xlsx"])
def test_a_disk_that_fills_is_one_message_for_a_queue(tmp_path, name):
    (tmp_path / "in.csv").write_text("task\nkey invoices\n")
    done = on_a_small_disk("review", tmp_path / "in.csv", "-o", tmp_path / name)
    assert (done.returncode, done.stderr) == (1, f"outsort: {tmp_path}/{name}: cannot be written (File too large).\n")
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.slow
def test_a_disk_that_fills_keeps_no_parts_of_a_workbook(tmp_path):
    # Of its parts, which XlsxWriter writes to temporary files, some are there when another finds no room.
    rows = "".join(f"{i},key invoices {i}\n" for i in range(300))
    (tmp_path / "in.csv").write_text(f"id,task\n{rows}")
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-B", "-m", "outsort", "score", tmp_path / "in.csv", "-o", tmp_path / "out.xlsx"],
        capture_output=True,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)),
    )
    assert (done.returncode, b"cannot be written (File too large)" in done.stderr) == (1, True)
    assert list((tmp_path / "temporary").iterdir()) == []
