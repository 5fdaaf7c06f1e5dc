"""The cache of compiled code: nobody else's, and never a reason to fail."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
from outsort._numba import nb, njit

@njit(nogil=True)
def double(x):
    return 2 * x

print(double(21), nb.config.CACHE_DIR)
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def run(program, **variables):
    return subprocess.run(
        [sys.executable, program], env=os.environ | variables, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"\x80", None], ids=["empty", "no pickle", "cut in half"])
def test_a_damaged_cache_is_compiled_anew(program, tmp_path, damage):
    cache = tmp_path / "cache"
    assert run(program, NUMBA_CACHE_DIR=str(cache)).stdout.startswith("42 ")
    files = [path for path in cache.rglob("*.nb[ic]") if path.is_file()]
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    for suffix in (".nbc", ".nbi"):
        for path in files:
            if path.suffix == suffix:
                whole = path.read_bytes()
                path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
        done = run(program, NUMBA_CACHE_DIR=str(cache))
        assert (done.returncode, done.stdout.startswith("42 "), done.stderr) == (0, True, "")


@pytest.mark.slow
def test_a_cache_named_by_the_user_is_used(program, tmp_path):
    assert run(program, NUMBA_CACHE_DIR=str(tmp_path / "mine")).stdout.split()[1] == str(tmp_path / "mine")


COPIED = """
import os, shutil, stat, sys
from pathlib import Path
# The package in a folder that cannot be written, as for a user of a system-wide installation.
sys.path.insert(0, sys.argv[1])
access = os.access
os.access = lambda path, mode, **options: not str(path).startswith(sys.argv[1]) and access(path, mode, **options)
import outsort._numba
print(outsort._numba.nb.config.CACHE_DIR or "-")
folder = outsort._numba.nb.config.CACHE_DIR
if folder:
    print(oct(stat.S_IMODE(os.stat(folder).st_mode)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("home_is_usable", [True, False])
def test_where_the_package_cannot_be_written_nobody_else_can_plant_code(tmp_path, home_is_usable):
    import outsort

    source = os.path.dirname(os.path.dirname(outsort.__file__))  # noqa: PTH120
    home = tmp_path / "home"
    if home_is_usable:
        home.mkdir()
    else:
        home.write_text("is a file")
    environment = {k: v for k, v in os.environ.items() if k not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", COPIED, source],
        env=environment | {"HOME": str(home), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    if home_is_usable:
        # Numba's own choice: a folder in the user's cache.
        assert done.stdout.split() == ["-"]
    else:
        folder, mode = done.stdout.split()
        assert os.path.dirname(folder) == str(tmp_path)  # noqa: PTH120
        assert mode == "0o700"
        assert not os.path.exists(folder)  # noqa: PTH110
        # The name cannot be guessed.
        assert str(os.getuid()) != folder.rpartition("-")[2]


@pytest.mark.slow
def test_without_compiled_code_it_says_what_to_do(tmp_path):
    (tmp_path / "t.csv").write_text("text\nkey invoices\n")
    done = subprocess.run(
        [sys.executable, "-m", "outsort", "score", "t.csv", "-o", "s.csv"],
        cwd=tmp_path,
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "outsort: NUMBA_DISABLE_JIT is set, and outsort needs compiled code. Unset it and run again.\n"
    )
