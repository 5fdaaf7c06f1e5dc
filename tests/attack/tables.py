"""Tables of every format, damaged and odd: scored whole, or refused in one message, and no row is lost.

Each try makes a table whose rows are known, in one of the many ways in which a format may be written, spoils some
of its rows or its bytes, and scores it into a format. What must come out: every row once, in its order, the intact
ones with their cells, as other libraries read them.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import json
import random
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from openpyxl.utils.escape import unescape

from attack.harness import Found, Try, check_refusal, command_here
from models import random_model
from outsort import model_file
from outsort.tables.formats import FORMATS

# A clause may be longer than what Python's reader takes for a field.
csv.field_size_limit(1 << 30)

OUTPUTS = ["csv", "tsv", "jsonl", "json", "parquet", "xlsx", "csv.gz", "jsonl.zst", "json.gz"]
INPUTS = [
    *("csv", "csv", "tsv", "jsonl", "json", "parquet", "xlsx", "xlsx"),
    *("csv.gz", "csv.zst", "csv.zip", "jsonl.gz", "jsonl.zst", "json.zip", "xlsx.zip", "parquet.zip"),
    *(["ods"] if "ods" in FORMATS else []),
]
ENCODINGS = ["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]
COLUMNS = ["id", "text", "n"]
DELIMITERS = ",,,;|\t"
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


class Cells(NamedTuple):
    """The cells of a row beside its id."""

    text: str
    n: int


#: The rows of a table by their ids, in order.
Rows = Mapping[str, Cells]


def random_rows(rng: random.Random) -> Rows:
    """Return the rows of a table; seldom more than a batch of them."""
    n = rng.choice([0, 1, 3, 12, 12, 200] * 20 + [9000])
    return {f"r{i:04d}": Cells(rng.choice(TEXTS), rng.randrange(99)) for i in range(n)}


#: Rows that may stand above a header.
PREAMBLES = [[["Contracts 2026"], []], [["Contracts 2026"]], [[]], [["Contracts"], ["as of 1 May 2026"], [], []]]


def preamble(rng, rows, header):
    """Return rows above the header: seldom any, and not where hardly anything tells which row is the header."""
    is_told = len(rows) > 2 and header == COLUMNS
    return rng.choice(PREAMBLES) if rng.random() < 0.15 and is_told else []


def csv_table(rng, rows, odd, delimiter):
    """Return a table, spoilt in the rows `odd`, and its encoding."""
    encoding, newline = rng.choice(ENCODINGS), rng.choice(["\n", "\r\n"])
    unmarked = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
    header = rng.choice([COLUMNS] * 6 + [["id", "text", "text"], ["id", "text", ""], ["text", "label", "id"]])
    quoting = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
    titles = [delimiter.join(row + [""] * (3 - len(row))) for row in preamble(rng, rows, header)]
    titles = [f"sep={delimiter}"] if rng.random() < 0.05 else titles
    # The first line bears the mark.
    first, *others = [*titles, delimiter.join(header)]
    lines = [first.encode(encoding), *(line.encode(unmarked) for line in others)]
    for name, cells in rows.items():
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, quoting=quoting).writerow([name, *cells])
        line = out.getvalue().removesuffix("\r\n").encode(unmarked)
        if name in odd:
            line = rng.choice(ODD_LINES).replace(b"{}", name.encode()).replace(b",", delimiter.encode())
            if encoding.startswith("utf-16"):
                line = line.decode("latin-1").encode("utf-16-le") + rng.choice([b"", b"", b"\x3d\xd8"])
        lines.append(line)
    if rng.random() < 0.8:
        lines.append(b"")
    return newline.encode(unmarked).join(lines), encoding


def json_lines(rng, rows, odd):
    """Return the objects of a table as lines, spoilt in the rows `odd`."""
    is_ascii, blank = rng.random() < 0.5, rng.choice(["", " "])
    lines = []
    for name, row in rows.items():
        cells = {"id": json.dumps(name), "text": json.dumps(row.text, ensure_ascii=is_ascii), "n": str(row.n)}
        if name in odd and rng.random() < 0.7:
            cells[rng.choice(["text", "n", "new"])] = rng.choice(ODD_JSON)
        elif name in odd:
            lines.append(rng.choice(ODD_OBJECTS).replace("{}", name).encode(rng.choice(["utf-8", "latin-1"])))
            continue
        line = "{" + f",{blank}".join(f'"{key}":{blank}{cell}' for key, cell in cells.items()) + "}"
        lines.append(line.encode(rng.choice(["utf-8", "latin-1"]) if name in odd else "utf-8"))
    return lines


def jsonl_table(rng, rows, odd):
    """Return a table of JSON lines, spoilt in the rows `odd`."""
    return rng.choice([b"\n", b"\r\n"]).join([*json_lines(rng, rows, odd), b""])


def json_table(rng, rows, odd):
    """Return an array of objects, or an object with one, spoilt in the rows `odd`."""
    array = b"[" + rng.choice([b",", b", ", b",\n  "]).join(json_lines(rng, rows, odd)) + b"]"
    array = rng.choice([b"%s", b'{"rows": %s}', b'{"n": 1, "found": {"rows": %s}}', b"%s\n"]) % array
    return rng.choice([b"", b"", b"\xef\xbb\xbf"]) + array


def parquet_table(rng, rows, odd):
    """Return a table, with odd columns if `odd`."""
    columns = {
        "id": pa.array(rows, pa.string()),
        "text": pa.array([row.text for row in rows.values()], pa.string()),
        "n": pa.array([row.n for row in rows.values()], pa.int64()),
    }
    for place, (kind, value) in enumerate(rng.sample(ODD_ARRAYS, rng.randrange(1, 4)) if odd else []):
        columns[f"c{place}"] = array_of([value if name in odd else None for name in rows], kind)
    renamed = list(columns)
    if odd and rng.random() < 0.2:
        renamed[-1] = rng.choice(["text", "", "label", "a\0b", "Ü" * 300])
    out = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(list(columns.values()), renamed),
        out,
        version="2.6",
        compression=rng.choice(["none", "snappy", "zstd", "gzip"]),
        row_group_size=rng.choice([3, 1000]),
        use_dictionary=rng.random() < 0.5,
    )
    return out.getvalue()


def array_of(values, kind):
    """Return an array whose times may be such as Python does not know."""
    if not pa.types.is_temporal(kind) or any(isinstance(value, datetime.datetime) for value in values):
        return pa.array(values, kind)
    return pa.array(values, pa.int32() if kind.bit_width == 32 else pa.int64()).view(kind)


#: What cells of a workbook may hold.
ODD_CELLS = [
    *(None, 1e300, -5, True, _DAY, _DAY.date(), _DAY.time(), "#DIV/0!", "=1/0", "_x000D_", "a" * 32_767, "\u2028")
]


def xlsx_table(rng, rows, odd):
    """Return a table by one of two libraries, with odd cells in the rows `odd`."""
    header = rng.choice([COLUMNS] * 6 + [["id", "text", "text"], ["id", None, "text"]])
    table = [*preamble(rng, rows, header), header]
    for name, cells in rows.items():
        row = [name, *cells]
        if name in odd:
            row[1:] = [rng.choice(ODD_CELLS) for _ in range(rng.randrange(5))]
        table.append(row)
    out = io.BytesIO()
    if rng.random() < 0.5:
        book = openpyxl.Workbook()
        for row in table:
            book.active.append(row)
            for cell in book.active[book.active.max_row][1:2] if row and row[0] not in odd else ():
                cell.data_type = "s" if cell.value is not None else cell.data_type
        book.save(out)
        return rewritten(rng, out.getvalue())
    # In memory or row by row: cells refer to a table of strings, or hold their own.
    options = {"in_memory": True} if rng.random() < 0.5 else {"constant_memory": True}
    book = xlsxwriter.Workbook(out, options | {"strings_to_formulas": False, "remove_timezone": True})
    sheet = book.add_worksheet()
    for i, row in enumerate(table):
        for j, cell in enumerate(row):
            sheet.write(i, j, cell)
    book.close()
    return rewritten(rng, out.getvalue())


def rewritten(rng, raw):
    """Return a workbook as other programs might have written the same."""
    out = io.BytesIO()
    kind = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
    with zipfile.ZipFile(io.BytesIO(raw)) as book, zipfile.ZipFile(out, "w", kind) as new:
        names = book.namelist()
        if rng.random() < 0.3:
            rng.shuffle(names)
        how = rng.randrange(6)
        for name in names:
            content = book.read(name)
            if name == "xl/worksheets/sheet1.xml":
                if how in (0, 1):
                    content = re.sub(rb"<dimension[^>]*>", rng.choice([b"", b'<dimension ref="A1"/>']), content)
                if how in (1, 2):
                    # Optional, where no cell is left out.
                    content = re.sub(rb'(<row[^>]*?) spans="[^"]*"', rb"\1", content)
                if how == 3:
                    content = content.replace(b"?>", b"?>\n<!-- made by hand -->", 1)
            new.writestr(name, content)
        if how == 4:
            new.writestr("docProps/custom.xml", b"<Properties/>")
    return out.getvalue()


_ODS = (
    '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"><office:body>'
    '<office:spreadsheet><table:table table:name="one">%s</table:table></office:spreadsheet></office:body>'
    "</office:document-content>"
)


def ods_table(rng, rows, odd):
    """Return a table as LibreOffice has it, with odd cells in the rows `odd`."""

    def cell(value):
        if isinstance(value, (int, float)):
            return f'<table:table-cell office:value-type="float" office:value="{value}"><text:p/></table:table-cell>'
        lines = "".join(f"<text:p>{escape(line)}</text:p>" for line in str(value or "").split("\n"))
        return f'<table:table-cell office:value-type="string">{lines}</table:table-cell>' if value else EMPTY

    table: list[list[object]] = [[*COLUMNS]]
    for name, cells in rows.items():
        row = [name, *cells]
        if name in odd:
            row[1:] = [rng.choice([None, 1e300, "#DIV/0!", "a" * 40_000, "x"]) for _ in range(rng.randrange(5))]
        table.append(row)
    content = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in table)
    out = io.BytesIO()
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("mimetype", kind, zipfile.ZIP_STORED)
        book.writestr("content.xml", _ODS % content)
        book.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
            '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
            "</manifest:manifest>",
        )
    return out.getvalue()


EMPTY = "<table:table-cell/>"


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


def packed(rng, raw, style):
    """Compress a table as its name says, in one of the ways in which that may be done."""
    inner, _, packing = style.rpartition(".")
    # Parts that are compressed one by one are one file as well.
    cut = rng.choice([0, 0, rng.randrange(len(raw) + 1)])
    parts = [raw[:cut], raw[cut:]] if cut else [raw]
    if packing == "gz":
        return b"".join(gzip.compress(part, 1) for part in parts)
    if packing == "zst":
        return b"".join(pa.compress(part, "zstd", asbytes=True) for part in parts)
    if packing == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])) as archive:
            if rng.random() < 0.2:
                archive.writestr("__MACOSX/._t", b"litter")
            archive.writestr(rng.choice(["t.", "folder/t.", "Übersicht."]) + inner, raw)
        return out.getvalue()
    return raw


class Table(NamedTuple):
    """A table to be scored.

    Attributes:
        raw: its bytes.
        rows: its rows.
        intact: the ids of the rows that are not spoilt; unknown, and none, if bytes were.
        encoding: its encoding.
        has_names: whether each cell of a row is named: what else the rows have may come before.
    """

    raw: bytes
    rows: Rows
    intact: set[str]
    encoding: str
    has_names: bool


MAKERS = {"jsonl": jsonl_table, "json": json_table, "parquet": parquet_table, "xlsx": xlsx_table, "ods": ods_table}


def spoilt_table(rng, style):
    """Return a table, often with rows or bytes spoilt."""
    rows, encoding = random_rows(rng), "utf-8"
    odd = set(rng.sample(list(rows), min(len(rows), rng.choice([0, 0, 0, 1, 1, 2, 12]))))
    kind = style.partition(".")[0]
    if kind in ("csv", "tsv"):
        raw, encoding = csv_table(rng, rows, odd, "\t" if kind == "tsv" else rng.choice(DELIMITERS))
    else:
        raw = MAKERS[kind](rng, rows, odd)
    damage = rng.choice(["none", "none", "inside", "outside"])
    if damage == "inside":
        raw = spoilt_member(rng, raw) if kind in ("xlsx", "ods") else spoilt_bytes(rng, raw)
    raw = packed(rng, raw, style)
    if damage == "outside":
        raw = spoilt_bytes(rng, raw)
    intact = {name for name in rows if name not in odd and damage == "none"}
    return Table(raw, rows, intact, encoding, has_names=kind in ("json", "jsonl"))


def _has_sheets(path: Path) -> bool:
    """Return whether the other library sees a sheet in a workbook, or in the one that a ZIP file holds."""
    # Whatever the libraries raise.
    with suppress(Exception):
        raw = path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as packed:
                raw = next(packed.read(name) for name in packed.namelist() if name.endswith(".xlsx"))
        return bool(openpyxl.load_workbook(io.BytesIO(raw)).worksheets)
    return False


def rows_written(path: Path, style: str) -> list[list[tuple[str, object]]]:
    """Return the cells of each row of an output with the names of their columns, read by other libraries.

    Of Parquet, those of texts and numbers.

    Raises:
        ValueError, or whatever the other library raises: it is torn.
    """
    if style == "parquet":
        table = pq.read_table(path)
        table.validate(full=True)
        is_plain = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating)
        columns = [
            [(field.name, cell) for cell in column.to_pylist()]
            for field, column in zip(table.schema, table.columns, strict=True)
            if any(is_kind(field.type) for is_kind in is_plain)
        ]
        return list(map(list, zip(*columns, strict=True)))
    if style == "xlsx":
        rows = list(openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True))
        # A copy of a workbook keeps what stands above its header.
        n_above = next(i for i, row in enumerate(rows) if any(str(cell).endswith("decision") for cell in row))
        header, *rows = rows[n_above:]
        rows = [[unescape(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
        return [list(zip(header, row, strict=True)) for row in rows]
    raw = path.read_bytes()
    if style.endswith(".gz"):
        raw = gzip.decompress(raw)
    if style.endswith(".zst"):
        raw = pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read() if raw else raw
    if style.startswith("jsonl"):
        return [list(json.loads(line).items()) for line in raw.decode().split("\n")[:-1]]
    if style.startswith("json"):
        content = json.loads(raw)
        while isinstance(content, dict):
            content = next(value for value in content.values() if isinstance(value, (dict, list)))
        return [list(row.items()) for row in content]
    text = io.StringIO(raw.decode("utf-8-sig", "surrogateescape"), newline="")
    header, *rows = csv.reader(text, delimiter="\t" if style == "tsv" else sniffed(raw), strict=True)
    return [list(zip(header, row, strict=True)) for row in rows]


def sniffed(raw):
    """Return the delimiter of a CSV file, whose header has several columns."""
    head = raw.split(b"\n")[0].decode("utf-8", "replace")
    return max(",;|\t", key=head.count)


def plain(cell: object) -> str:
    """Return a cell as text: formats differ in whether 5 is a number, and no value a blank text."""
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def check_rows(
    table: Table, written: list[list[tuple[str, object]]], n_told: int, *, is_read_right: bool = True
) -> None:
    """Check what came out of a table.

    Args:
        table: what went in.
        written: the rows that came out.
        n_told: how many rows there are, as the command told.
        is_read_right: whether letters beyond ASCII must be what they were: not, if the encoding was guessed.

    Raises:
        Found: a row was lost, moved or doubled, or a cell changed.
    """
    if len(written) != n_told:
        raise Found("lost", f"{n_told} rows were told, and {len(written)} written")
    if not table.intact:
        return
    if n_told != len(table.rows):
        raise Found("lost", f"of {len(table.rows)} rows came {n_told}")
    for (name, cells), row in zip(table.rows.items(), written, strict=True):
        expected = [name, cells.text, str(cells.n)]
        by_name = dict(row)
        cells_found = [by_name.get(key) for key in COLUMNS] if table.has_names else [cell for _, cell in row[:3]]
        found = [plain(cell) for cell in cells_found]
        if name in table.intact and found != expected:
            if not is_read_right and [ascii_of(cell) for cell in found] == [ascii_of(cell) for cell in expected]:
                continue
            raise Found("lost", f"the row {expected} became {found}")


def ascii_of(text: str) -> str:
    """Return the letters of a text that every encoding has; other bytes are kept in hexadecimal where they are none."""
    return re.sub(r"[^\0-\x7f]+|\\x[0-9a-f]{2}", "", text)


@contextmanager
def start(folder: Path) -> Iterator[Try]:
    """Save a small model; each try scores one table by it."""
    model = folder / "model.joblib"
    model_file.save(random_model(3, with_out_of_scope=True), model)
    old = old_books(folder)
    yield lambda seed, its_folder: score_spoilt(seed, its_folder, model, old)


def old_books(folder: Path) -> list[Table]:
    """Return tables in the old format of workbooks, which LibreOffice writes; none without it."""
    program = shutil.which("soffice")
    if "xls" not in FORMATS or not program:
        return []
    found = []
    for n in (3, 200):
        rng = random.Random(n)
        rows = {f"r{i:04d}": Cells(rng.choice(TEXTS), rng.randrange(99)) for i in range(n)}
        with xlsxwriter.Workbook(folder / f"{n}.xlsx", {"strings_to_formulas": False}) as book:
            sheet = book.add_worksheet()
            for i, row in enumerate([COLUMNS, *([name, *cells] for name, cells in rows.items())]):
                sheet.write_row(i, 0, row)
        profile = f"-env:UserInstallation={(folder / 'office').as_uri()}"
        command = [program, profile, "--headless", "--convert-to", "xls", "--outdir", folder, folder / f"{n}.xlsx"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        raw = (folder / f"{n}.xls").read_bytes()
        found.append(Table(raw, rows, set(rows), "utf-8", has_names=False))
    return found


def score_spoilt(seed: int, folder: Path, model: Path, old: Sequence[Table] = ()) -> None:
    """Make, spoil and score one table; seldom one of those of the old format.

    Raises:
        Found: what came out is not what went in.
    """
    rng = random.Random(seed)
    style, output, keep = rng.choice(INPUTS), rng.choice(OUTPUTS), rng.random() < 0.7
    if old and rng.random() < 0.05:
        style, table = "xls", rng.choice(old)
        if rng.random() < 0.7:
            table = table._replace(raw=spoilt_bytes(rng, table.raw), intact=set())
    else:
        table = spoilt_table(rng, style)
    source, target = folder / f"in.{style}", folder / f"out.{output}"
    source.write_bytes(table.raw)
    encoding = rng.choice([None] * 15 + ["utf-8", "utf-8-sig", "utf-16", "utf-7", "cp932"])
    if encoding is None and table.encoding == "cp1252" and rng.random() < 0.5:
        encoding = "cp1252"
    options = ["--on-error", "keep" if keep else "stop", *(["--encoding", encoding] if encoding else [])]
    outcome = command_here("score", source, "-o", target, "--model", model, "--workers", 1, *options)
    if outcome.code:
        check_refusal(outcome, str(folder))
        check_left(folder, {source.name})
        return
    check_left(folder, {source.name, target.name})
    told = re.search(rf"^{re.escape(str(target))}: ([\d,]+) rows?$", outcome.err, re.MULTILINE)
    try:
        written = rows_written(target, output)
    # Whatever other libraries raise.
    except Exception as error:
        if output == "xlsx" and style in ("xlsx", "xlsx.zip") and not _has_sheets(source):
            # A copy of a workbook keeps its faults, too: of this one the other library sees no sheet.
            return
        raise Found("torn", f"{target.name} cannot be read: {error!r}") from error
    if encoding not in (None, table.encoding):
        table = table._replace(intact=set())
    check_rows(table, written, int(told[1].replace(",", "")), is_read_right=encoding or table.encoding != "cp1252")


def check_left(folder: Path, expected: set[str]) -> None:
    """Check that nothing is in a folder but these files."""
    found = {path.name for path in folder.iterdir()}
    if found != expected:
        raise Found("torn", f"{sorted(found)} are in the folder, where {sorted(expected)} should be")
