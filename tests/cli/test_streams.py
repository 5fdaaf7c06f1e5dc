"""Pipes as input, and standard streams that are closed, full or of another encoding."""

import gc
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from outsort import save_model

WITHOUT_BASH = pytest.mark.skipif(not (shutil.which("bash") and Path("/dev/full").exists()), reason="needs bash, Linux")


@pytest.fixture
def model_file(model, tmp_path):
    path = tmp_path / "m.joblib"
    save_model(model, path)
    return path


@pytest.fixture
def piped(tmp_path):
    """A pipe with a name, which gives some bytes once and cannot be rewound."""
    writers = []

    def pipe(content, name):
        path = tmp_path / name
        os.mkfifo(path)
        writers.append(threading.Thread(target=path.write_bytes, args=(content,)))
        writers[-1].start()
        return path

    yield pipe
    for writer in writers:
        writer.join(10)


def in_format(frame, style, path):
    write = {"xlsx": pd.DataFrame.to_excel, "parquet": pd.DataFrame.to_parquet}.get(style, pd.DataFrame.to_csv)
    write(frame, path, index=False)
    return path.read_bytes()


@pytest.mark.parametrize("style", ["", "csv", "csv.gz", "xlsx", "parquet"])
def test_every_format_comes_through_a_pipe(outsort, frame, model_file, tmp_path, piped, style):
    content = in_format(frame, style or "csv", tmp_path / f"in.{style or 'csv'}")
    source = piped(content, f"pipe.{style}".rstrip("."))
    done = outsort("score", source, "-o", tmp_path / "out.csv", "-m", model_file)
    assert (done.code, done.err) == (0, f"{source}: text column 'text', 15 rows\n{tmp_path}/out.csv: 15 rows\n")
    scored = pd.read_csv(tmp_path / "out.csv")
    assert scored["text"].tolist() == frame["text"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("train", "TABLE", "-o", "OUT", "--folds", 0),
        ("evaluate", "TABLE", "-m", "MODEL", "--json"),
        ("compare", "MODEL", "MODEL", "TABLE", "--json"),
        ("check", "TABLE", "--json"),
        ("review", "TABLE", "-m", "MODEL", "-o", "OUT"),
        ("merge", "TABLE", "--into", "OUT", "-m", "MODEL", "--reviewer", "a"),
        ("explain", "key invoices", "-m", "MODEL", "--data", "TABLE", "-f", "json"),
    ],
    ids=lambda command: command[0],
)
def test_every_command_reads_a_pipe_like_a_file(outsort, frame, model_file, tmp_path, piped, command):
    if command[0] == "merge":
        frame.insert(0, "key", "")
    content = in_format(frame, "csv", tmp_path / "table.csv")
    outcomes = []
    for number, table in enumerate([tmp_path / "table.csv", piped(content, "pipe")]):
        output = tmp_path / f"out{number}.csv"
        names = {"TABLE": table, "MODEL": model_file, "OUT": output}
        done = outsort(*(names.get(word, word) for word in command))
        said = (done.out + done.err).replace(str(table), "TABLE").replace(str(output), "OUT")
        # A model holds when it was made, and the command says how long it took.
        made = output.read_bytes() if output.exists() and command[0] != "train" else b""
        outcomes.append((done.code, said.partition(" terms, ")[0], made))
    assert outcomes[0][0] in (0, 3), outcomes
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("command", ["predict", "score", "review"])
def test_an_encoding_that_there_is_not_is_wrong_usage(outsort, csv_file, tmp_path, command):
    done = outsort(command, csv_file, "-o", tmp_path / "o.csv", "--encoding", "klingon")
    assert done.code == 2
    if command != "predict":
        assert "there is no encoding 'klingon': name one" in " ".join(done.err.replace("│", " ").split())


@pytest.mark.parametrize(
    "command",
    [("score", "in.csv", "-o", "o.parquet", "--prefix"), ("merge", "q.csv", "--into", "in.csv", "--reviewer")],
)
def test_an_option_that_is_not_text_is_wrong_usage(outsort, command):
    # The bytes of an argument that are not UTF-8 come as lone surrogates.
    done = outsort(*command, "\udcff")
    assert done.code == 2
    assert "is not valid UTF-8" in done.err


def run(command, **environment):
    """Run a command line of bash in which $O is outsort."""
    environment = os.environ | {"O": f"{sys.executable} -m outsort"} | environment
    return subprocess.run(["bash", "-c", command], env=environment, capture_output=True, timeout=100)


@pytest.fixture
def folder(csv_file, monkeypatch):
    """The current folder, which holds a table."""
    monkeypatch.chdir(csv_file.parent)
    return csv_file.parent


@WITHOUT_BASH
@pytest.mark.slow
@pytest.mark.usefixtures("folder")
class TestStandardStreams:
    @pytest.mark.parametrize(
        "command", ["score <(cat tasks.csv) -o -", "score /dev/stdin -o - < tasks.csv", "score - -o - < tasks.csv"]
    )
    def test_what_the_shell_hands_over_is_a_table(self, command):
        expected = run("$O score tasks.csv -o -")
        done = run(f"$O {command}")
        assert (done.returncode, done.stdout) == (0, expected.stdout)
        assert done.stdout.count(b"\n") == 16

    @pytest.mark.parametrize(
        "command",
        [
            *("predict x -f csv", "predict x -f table", "score tasks.csv -o -", "check tasks.csv --json"),
            *("card", "--help", "score --help", "--version"),
        ],
    )
    def test_a_full_device_is_one_message(self, command):
        done = run(f"$O {command} > /dev/full")
        assert done.returncode == 1
        why = b"cannot be written (No space left on device). Send it elsewhere."
        # `check` has said what it read before.
        assert done.stderr.endswith(b"outsort: standard output: " + why + b"\n")
        assert done.stderr.count(b"\n") == 1 + command.startswith("check")

    @pytest.mark.parametrize("command", ["predict x", "score tasks.csv -o -", "check tasks.csv"])
    def test_a_closed_output_is_one_message(self, command):
        done = run(f"$O {command} >&-")
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(b"outsort: standard output: cannot be written (")
        assert done.stderr.count(b"\n") == 1 + command.startswith("check")

    @pytest.mark.parametrize("command", ["predict", "score - -o -", "score - -o out.csv"])
    def test_a_closed_input_is_one_message(self, folder, command):
        done = run(f"$O {command} <&-")
        assert done.returncode == 1
        assert done.stderr.startswith(b"outsort: standard input: cannot be read (")
        assert done.stderr.count(b"\n") == 1
        assert sorted(path.name for path in folder.iterdir()) == ["tasks.csv"]

    def test_without_a_stream_for_messages_the_exit_code_says_it(self, folder):
        assert run("$O score tasks.csv -o out.csv <&- >&- 2>&-").returncode == 0
        assert len(pd.read_csv(folder / "out.csv")) == 15
        assert run("$O score none.csv -o out.csv <&- >&- 2>&-").returncode == 1

    def test_a_reader_that_has_enough_is_no_error_to_tell(self):
        done = run("yes 'key invoices' | head -20000 | $O predict | head -1; exit ${PIPESTATUS[2]}")
        assert (done.returncode, done.stderr) == (1, b"")
        assert done.stdout.count(b"\n") == 1

    @pytest.mark.parametrize(
        "environment",
        [{"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}],
        ids=["cp1252", "C"],
    )
    @pytest.mark.parametrize("command", ["predict -f json", "predict -f jsonl", "score - -o - --to jsonl"])
    def test_data_go_out_as_utf_8(self, folder, command, environment):
        texts = ["Übersetzung – 翻訳 🧾"]
        (folder / "in.csv").write_text("text\n" * command.startswith("score") + "\n".join(texts), encoding="utf-8")
        done = run(f"$O {command} < in.csv", **environment)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.decode())
        assert [row["text"] for row in (found if isinstance(found, list) else [found])] == texts


def test_a_program_that_runs_many_commands_gets_its_memory_back(outsort):
    before = gc.get_freeze_count()
    assert outsort("predict", "key invoices").code == 0
    assert gc.get_freeze_count() == before
