"""Damaged and odd tables of every format: scored whole, or refused in one message, and no row is lost.

``python tests/attack --only tables --seconds 600`` makes and tries many more.
"""

import datetime
import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from attack import tables
from attack.tables import rows_written
from outsort import model_file
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer
from workbooks import workbook

OUTPUTS = ["csv", "tsv", "jsonl", "parquet", "xlsx", "csv.gz", "jsonl.zst"]


@pytest.fixture(scope="module")
def scorer(model):
    return Scorer(model, workers=1)


def parquet_of(**columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def damaged_gzip():
    raw = bytearray(gzip.compress(b"text\n" + b"key invoices\n" * 50))
    raw[14] ^= 0xFF
    return bytes(raw)


AGAIN = "Copy it again, or save it anew."
KEEP = "Fix it, or pass --on-error keep."


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.joblib"
    model_file.save(model, path)
    return path


@pytest.mark.slow
def test_spoilt_tables_are_scored_whole_or_refused(tmp_path, saved):
    n_refused = 0
    for seed in range(60):
        folder = tmp_path / str(seed)
        folder.mkdir()
        tables.score_spoilt(seed, folder, saved)
        n_refused += len(list(folder.iterdir())) == 1
    assert 10 < n_refused < 50


#: Tables that once ended in a traceback: the name, the content, the format to write, and what is said.
REFUSED = {
    "gzip": ("in.csv.gz", damaged_gzip(), "csv", f"in.csv.gz: is damaged, or not compressed (… {AGAIN}"),
    "half a character": (
        "in.csv",
        "text\nkey invoices".encode("utf-16")[:-1],
        "csv",
        f"in.csv, row 2 is not valid … {KEEP}",
    ),
    "no byte order": ("in.csv", b"text\n", "csv", "in.csv: the header is not valid utf-16 (… cp932, gb18030."),
    "half an emoji": (
        "in.jsonl",
        rb'{"text": "\ud83d"}',
        "csv",
        f"in.jsonl, line 1 holds half of a surrogate pair… {KEEP}",
    ),
    "huge integer": (
        "in.jsonl",
        b'{"text": 1, "n": %s}' % (b"9" * 400),
        "parquet",
        "out.parquet: column 'n'… JSON Lines instead.",
    ),
    "huge exponent": (
        "in.jsonl",
        b'{"n": 1e99999999999999999999}',
        "csv",
        f"in.jsonl, line 1 is not valid JSON… {KEEP}",
    ),
    "deep": (
        "in.jsonl",
        b'{"text": %s}' % (b"[" * 60 + b"]" * 60),
        "parquet",
        "out.parquet: Parquet cannot store… JSON Lines instead.",
    ),
    "late date": (
        "in.parquet",
        parquet_of(text=["a"], day=pa.array([2**31 - 1], pa.int32()).view(pa.date32())),
        "csv",
        "out.csv: column 'day' holds date32… Write Parquet, or leave the column out.",
    ),
    "zone": (
        "in.parquet",
        parquet_of(text=["a"], day=pa.array([datetime.datetime(2026, 1, 2)], pa.timestamp("us", "Mars/Phobos"))),
        "jsonl",
        "out.jsonl: column 'day' holds timestamp[us, tz=Mars/Phobos]… Write Parquet, or leave the column out.",
    ),
    "bytes": (
        "in.parquet",
        parquet_of(text=["a"], raw=[b"\xff"]),
        "xlsx",
        "out.xlsx: row 2, column 'raw' holds bytes… Write Parquet, or leave the column out.",
    ),
    "text of bytes": (
        "in.parquet",
        parquet_of(text=pa.array([b"caf\xe9"]).view(pa.string())),
        "csv",
        f"in.parquet: is damaged (… {AGAIN}",
    ),
    "style": (
        "in.xlsx",
        workbook(b'<row r="2"><c r="A2" s="99"><v>1</v></c></row>'),
        "csv",
        f"in.xlsx: is damaged, or not a workbook (… {AGAIN}",
    ),
    "no workbook": ("in.xlsx", b"PK\x03\x04", "csv", f"in.xlsx: is damaged, or not a workbook (… {AGAIN}"),
    "other format": ("in.csv", b"%PDF-1.7\n", "csv", "in.csv: is a PDF document, not a table. … as a document."),
}


@pytest.mark.parametrize(("name", "content", "style", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_scored_is_one_message(outsort, model_path, tmp_path, name, content, style, said):
    (tmp_path / name).write_bytes(content)
    options = ["-m", model_path, *(["--encoding", "utf-16"] if "utf-16" in said else [])]
    done = outsort("score", tmp_path / name, "-o", tmp_path / f"out.{style}", *options)
    start, end = said.split("…")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"outsort: {tmp_path}/{start}")
    assert done.err.endswith(f"{end}\n")
    assert done.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [
        ("in.csv", "id,text\nü,ö\nü,".encode() + b"caf\xe9", r"caf\xe9"),
        ("in.csv", "id,text\n1,a\n2,key".encode("utf-16")[:-1], r"ke\x79"),
        ("in.csv", "id,text\n1,a\n2,\ud83d".encode("utf-16", "surrogatepass"), r"\x3d\xd8"),
        ("in.jsonl", b'{"id": 1, "text": "a"}\n{"text": "caf\xe9"}', r'{"text": "caf\xe9"}'),
        ("in.jsonl", rb'{"id": 1, "text": "a"}' + b"\n" + rb'{"text": "\ud83d"}', r'{"text": "\ud83d"}'),
    ],
)
def test_what_is_not_text_is_kept_in_hexadecimal_in_every_format(tmp_path, scorer, name, content, kept, output):
    (tmp_path / name).write_bytes(content)
    target = tmp_path / f"out.{output}"
    assert score_file(tmp_path / name, target, scorer, options=Options(keep=True)) == 2
    _, row = rows_written(target, output)
    row = [cell for _, cell in row]
    assert kept in row
    assert any(str(cell).startswith(("is not valid ", "holds half of a surrogate pair")) for cell in row)
