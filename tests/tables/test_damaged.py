"""Damaged and odd tables of every format: scored whole, or refused in one message, and no row is lost.

Each try makes a small valid table from a seed, spoils some of its rows or its bytes, and scores it into a format.
``python -m pytest tests/tables/test_damaged.py --damaged 100000`` tries longer.
"""

import csv
import datetime
import decimal
import gzip
import io
import json
import random
import warnings
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outsort.errors import DataError, DataWarning, OutputError
from outsort.scoring.files import Options, score_file
from outsort.scoring.scorer import Scorer
from workbooks import workbook

OUTPUTS = ["csv", "tsv", "jsonl", "parquet", "xlsx", "csv.gz", "jsonl.zst"]
INPUTS = ["csv", "tsv", "jsonl", "parquet", "xlsx", "csv.gz", "csv.zst", "jsonl.gz", "jsonl.zst"]
ENCODINGS = ["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]
TEXTS = ["key invoices", "draft a contract", "Büro putzen", "", 'say, "yes"', "multi\nline", "=SUM(A1)", "500"]

#: Lines of CSV that a table of three columns may hold by accident; {} is the row's id.
ODD_LINES = [
    *(b"{},key invoices,1,2,3", b"{}", b"{},", b'{},"open,1', b'{},"a"b,1', b"{},a\0b,1", b"{},\xff\xfe,1"),
    *(
        b"{},\xed\xa0\xbd,1",
        b'{},"a\rb",1',
        b"{},\xe2\x80\xa8,\xc3",
        b"\xef\xbb\xbf{},a,1",
        b"{}," + b"9" * 400 + b",1",
    ),
    *(b"{},1900-01-00,25:61", b"{},#DIV/0!,=1+1", b"{},<script>,_x000D_", b"{}," + b"a" * 40_000 + b",1"),
]
#: Values that JSON may hold, as its text.
ODD_JSON = [
    *(r'"\ud83d"', r'"\udcff\udc80"', r'"\u0000\u001f"', r'"\ufffe\uffff"', "9" * 400, "-" + "9" * 4000, "9" * 5000),
    *(
        "1e400",
        "-1e-400",
        "1e99999999999999999999",
        "NaN",
        "-Infinity",
        "[" * 50 + "]" * 50,
        '{"a": {"b": [1, null]}}',
        "true",
        "null",
        "{}",
    ),
    *('"0001-01-01"', "12345678901234567890", "0.1234567890123456789", '"' + "a" * 40_000 + '"', '"\xff"', "1.0"),
]
#: Lines that are no such object, but a row all the same.
ODD_OBJECTS = [
    *("[1]", "x", '{"id": "{}"', '"{}"', '{"id": "{}", "id": 2}', r'{"id": "{}", "\ud83d": 1}', '{"id": "{}", "": 1}'),
    *('{"id": "{}", "late": 1}', '{"id": "{}", "label": 1}', "{" * 5000, '{"id": "{}", "text": "\xff"}', "{}"),
]
_DAY = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
#: Columns that Parquet may hold: a type and a value beside None.
ODD_ARRAYS = [
    *((pa.timestamp(unit), value) for unit in ("ms", "us", "ns") for value in (2**62, -(2**62))),
    *((pa.timestamp("us", zone), _DAY) for zone in ("UTC", "Mars/Phobos", "", "+99:99", "+01:00", "Europe/Paris")),
    *((pa.timestamp("ms", zone), 2**50) for zone in ("UTC", "Mars/Phobos")),
    *((pa.date32(), 2**31 - 1), (pa.date32(), -(2**31)), (pa.date64(), 86_400_000 * 2**30), (pa.date32(), 0)),
    *((pa.time64("ns"), 1), (pa.time64("us"), 86_400_000_000 * 3), (pa.time32("s"), -1), (pa.duration("ns"), 2**62)),
    *((pa.duration("s"), 2**62), (pa.duration("us"), -1)),
    *(
        (pa.binary(), b"\xff\0"),
        (pa.large_binary(), b"a"),
        (pa.binary(2), b"\xff\0"),
        (pa.list_(pa.binary()), [b"\xff"]),
    ),
    *((pa.decimal128(38, 10), decimal.Decimal("1e20")), (pa.decimal256(76, 0), decimal.Decimal("9" * 76))),
    *((pa.uint64(), 2**64 - 1), (pa.int64(), -(2**63)), (pa.float64(), float("nan")), (pa.float32(), float("-inf"))),
    *((pa.float16(), 1.5), (pa.null(), None), (pa.bool_(), True), (pa.large_string(), "a"), (pa.string(), "a\0\ufffe")),
    *((pa.list_(pa.int8()), [1]), (pa.struct([("a", pa.timestamp("us"))]), {"a": 2**60})),
    *((pa.map_(pa.string(), pa.int8()), [("a", 1)]), (pa.dictionary(pa.int8(), pa.string()), "a")),
    *((pa.list_(pa.timestamp("us", "Mars/Phobos")), [_DAY]), (pa.string(), "a" * 40_000)),
]
#: Parts of a workbook's XML, and what to put there.
ODD_XML = [
    *((b"<v>", b"<v>99999999999"), (b"<v>", b"<v>-"), (b"<v>", b"<v>x"), (b"<v>", b"<v>1e400"), (b"<v>", b"<v>\xff")),
    *((b't="s"', b't="d"'), (b't="s"', b't="b"'), (b't="s"', b't="e"'), (b't="s"', b't="zz"'), (b't="s"', b't="n"')),
    *((b' r="', b' r="x'), (b' r="', b' r="0'), (b' r="', b' r="-'), (b' r="', b' r="99999999'), (b' s="', b' s="9')),
    *((b"<row", b"<now"), (b"<c ", b"<d "), (b"</row>", b""), (b"<t>", b"<t>\x01"), (b"<t>", b"<t>_x000D_")),
    *((b"<t>", b"<t>&#xD800;"), (b"<t>", b"<t>&bomb;"), (b"1", b"2"), (b"worksheet", b"chartsheet"), (b"rId", b"sId")),
    *((b"utf-8", b"klingon"), (b"UTF-8", b"utf-16"), (b"date1904", b"date"), (b"numFmtId=", b"numFmtId=1")),
]


def csv_line(rng, name, delimiter):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerow([name, rng.choice(TEXTS), rng.randrange(99)])
    return out.getvalue().removesuffix("\r\n")


def csv_table(rng, names, odd, delimiter):
    """Return a table, spoilt in the rows `odd`, in some encoding."""
    encoding, newline = rng.choice(ENCODINGS), rng.choice(["\n", "\r\n"])
    unmarked = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
    header = rng.choice(
        [["id", "text", "n"]] * 6 + [["id", "text", "text"], ["id", "text", ""], ["text", "label", "id"]]
    )
    lines = [delimiter.join(header).encode(encoding)]
    for name in names:
        line = csv_line(rng, name, delimiter).encode(unmarked)
        if name in odd:
            line = rng.choice(ODD_LINES).replace(b"{}", name.encode()).replace(b",", delimiter.encode())
            if encoding.startswith("utf-16"):
                line = line.decode("latin-1").encode("utf-16-le") + rng.choice([b"", b"", b"\x3d\xd8"])
        lines.append(line)
    return newline.encode(unmarked).join([*lines, b""])


def jsonl_table(rng, names, odd):
    """Return a table, spoilt in the rows `odd`."""
    lines = []
    for name in names:
        cells = {"id": json.dumps(name), "text": json.dumps(rng.choice(TEXTS)), "n": str(rng.randrange(99))}
        line = "{" + ", ".join(f'"{key}": {cell}' for key, cell in cells.items()) + "}"
        if name in odd and rng.random() < 0.7:
            cells[rng.choice(["text", "n", "new"])] = rng.choice(ODD_JSON)
            line = "{" + ", ".join(f'"{key}": {cell}' for key, cell in cells.items()) + "}"
        elif name in odd:
            line = rng.choice(ODD_OBJECTS).replace("{}", name)
        lines.append(line.encode(rng.choice(["utf-8", "utf-8", "latin-1"]) if name in odd else "utf-8"))
    return b"\n".join([*lines, b""])


def parquet_table(rng, names, odd):
    """Return a table, with odd columns if `odd`."""
    columns = {"id": pa.array(names), "text": pa.array([rng.choice(TEXTS) for _ in names])}
    for place, (kind, value) in enumerate(rng.sample(ODD_ARRAYS, rng.randrange(1, 4)) if odd else []):
        values = [value if name in odd else None for name in names]
        columns[f"c{place}"] = array_of(values, kind)
    renamed = list(columns)
    if odd and rng.random() < 0.2:
        renamed[-1] = rng.choice(["text", "", "label", "a\0b", "Ü" * 300])
    table = pa.Table.from_arrays(list(columns.values()), renamed)
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        version="2.6",
        compression=rng.choice(["none", "snappy", "zstd"]),
        row_group_size=rng.choice([3, 1000]),
    )
    return out.getvalue()


def array_of(values, kind):
    """Return an array whose times may be such as Python does not know."""
    if not pa.types.is_temporal(kind) or any(isinstance(value, datetime.datetime) for value in values):
        return pa.array(values, kind)
    return pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)


def xlsx_table(rng, names, odd):
    """Return a table, with odd cells in the rows `odd`."""
    cells = [
        None,
        1e300,
        -5,
        True,
        _DAY,
        _DAY.date(),
        _DAY.time(),
        "#DIV/0!",
        "=1/0",
        "_x000D_",
        "a" * 32_767,
        "\u2028",
    ]
    book = openpyxl.Workbook()
    book.active.append(rng.choice([["id", "text", "n"]] * 6 + [["id", "text", "text"], ["id", None, "text"], ["text"]]))
    for name in names:
        row = [name, rng.choice(TEXTS), rng.randrange(99)]
        if name in odd:
            row[1:] = [rng.choice(cells) for _ in range(rng.randrange(5))]
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def spoilt_bytes(rng, raw):
    """Cut, flip, insert, remove or repeat bytes."""
    raw, place = bytearray(raw or b"\0"), rng.randrange(len(raw) + 1)
    length = rng.choice([1, 1, 2, 8, 300])
    kind = rng.randrange(6)
    if kind == 0:
        return bytes(raw[:place])
    if kind == 1:
        for _ in range(length):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        raw[place:place] = rng.choice([rng.randbytes(length), b"\0" * length, b'"', b"\xff\xfe", "翻訳".encode()])
    elif kind == 3:
        del raw[place : place + length]
    elif kind == 4:
        raw[place:place] = raw[place : place + length]
    else:
        raw[place : place + length] = rng.randbytes(length)
    return bytes(raw)


def spoilt_member(rng, raw):
    """Spoil the XML of one part of a workbook, or leave the part out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as book, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as spoilt:
        chosen = rng.choice(book.namelist() + ["xl/worksheets/sheet1.xml"] * 10 + ["xl/workbook.xml"] * 2)
        for name in book.namelist():
            content = book.read(name)
            if name == chosen:
                old, new = rng.choice(ODD_XML)
                kind = rng.randrange(8)
                if kind == 0:
                    continue
                content = spoilt_bytes(rng, content) if kind == 1 else content.replace(old, new, rng.choice([1, 5, -1]))
            spoilt.writestr(name, content)
    return out.getvalue()


def packed(raw, style):
    if style.endswith(".gz"):
        return gzip.compress(raw, 1)
    return pa.compress(raw, "zstd", asbytes=True) if style.endswith(".zst") else raw


def spoilt_table(rng, style):
    """Return a table, the ids of its rows, and those of intact rows, which are unknown if bytes were spoilt."""
    names = [f"r{i:03d}" for i in range(rng.choice([0, 1, 3, 12, 12, 200]))]
    odd = set(rng.sample(names, min(len(names), rng.choice([0, 0, 1, 1, 2, 12]))))
    kind = style.partition(".")[0]
    if kind in ("csv", "tsv"):
        raw = csv_table(rng, names, odd, "\t" if kind == "tsv" else rng.choice(",,;"))
    else:
        raw = {"jsonl": jsonl_table, "parquet": parquet_table, "xlsx": xlsx_table}[kind](rng, names, odd)
    damage = rng.choice(["none", "inside", "outside"]) if odd else rng.choice(["inside", "outside"])
    if damage == "inside":
        raw = spoilt_member(rng, raw) if kind == "xlsx" else spoilt_bytes(rng, raw)
    raw = packed(raw, style)
    if damage == "outside":
        raw = spoilt_bytes(rng, raw)
    return raw, names, {name for name in names if name not in odd and damage == "none"}


def rows_written(path, style):
    """Return the cells of text in each row of an output, read by other libraries."""
    if style == "parquet":
        table = pq.read_table(path)
        table.validate(full=True)
        texts = [column.to_pylist() for column in table.columns if pa.types.is_string(column.type)]
        return list(zip(*texts, strict=True))
    if style == "xlsx":
        return [
            [str(cell) for cell in row] for row in openpyxl.load_workbook(path).active.iter_rows(2, values_only=True)
        ]
    raw = path.read_bytes()
    if style.endswith(".gz"):
        raw = gzip.decompress(raw)
    if style.endswith(".zst"):
        raw = pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read() if raw else raw
    if style.startswith("jsonl"):
        return [list(json.loads(line).values()) for line in raw.decode().split("\n")[:-1]]
    text = io.StringIO(raw.decode("utf-8-sig", "surrogateescape"), newline="")
    return list(csv.reader(text, delimiter="\t" if style == "tsv" else sniffed(raw), strict=True))[1:]


def sniffed(raw):
    head = raw.split(b"\n")[0]
    return ";" if head.count(b";") > head.count(b",") else ","


def score_spoilt(seed, folder, scorer):
    """Make, spoil and score one table; return the error that refused it, or None."""
    rng = random.Random(seed)
    style, output, keep = rng.choice(INPUTS), rng.choice(OUTPUTS), rng.random() < 0.7
    raw, names, intact = spoilt_table(rng, style)
    source, target = folder / f"in.{style}", folder / f"out.{output}"
    source.write_bytes(raw)
    options = Options(
        keep=keep, encoding=rng.choice([None] * 15 + ["utf-8", "utf-8-sig", "utf-16", "utf-7", "cp932", "klingon"])
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            n_rows = score_file(source, target, scorer, options=options, force=True)
    except (DataError, OutputError) as error:
        return error
    rows = rows_written(target, output)
    assert len(rows) == n_rows, f"{len(rows)} rows written of {n_rows}"
    if intact and options.encoding is None:
        assert n_rows == len(names), f"{n_rows} rows of {len(names)}"
        assert [cell for row in rows for cell in row if str(cell) in intact] == [
            name for name in names if name in intact
        ]
    return None


@pytest.fixture(scope="module")
def scorer(model):
    return Scorer(model, workers=1)


def score_many(seeds, folder, scorer):
    """Score the tables of many seeds; return how many were scored and how many refused."""
    n_refused = 0
    for seed in seeds:
        error = score_spoilt(seed, folder, scorer)
        n_refused += error is not None
        # What, where: a message that names no file is no help among many.
        assert error is None or str(error).startswith(str(folder)), f"seed {seed}: {error}"
    return len(seeds) - n_refused, n_refused


def test_spoilt_tables_are_scored_whole_or_refused(tmp_path, scorer):
    n_scored, n_refused = score_many(range(150), tmp_path, scorer)
    assert min(n_scored, n_refused) > 30


@pytest.mark.slow
def test_many_spoilt_tables_are_scored_whole_or_refused(tmp_path, scorer, request):
    first = 1000
    score_many(range(first, first + request.config.getoption("--damaged")), tmp_path, scorer)


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
        parquet_of(text=["a"], day=pa.array([_DAY], pa.timestamp("us", "Mars/Phobos"))),
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
    "other format": ("in.csv", b"%PDF-1.7\n", "csv", "in.csv: is a PDF document, which is not read. … .xlsx or .csv."),
}


@pytest.mark.parametrize(("name", "content", "style", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_scored_is_one_message(outsort, tmp_path, name, content, style, said):
    (tmp_path / name).write_bytes(content)
    options = ["--encoding", "utf-16"] if "utf-16" in said else []
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
    assert kept in row
    assert any(str(cell).startswith(("is not valid ", "holds half of a surrogate pair")) for cell in row)
