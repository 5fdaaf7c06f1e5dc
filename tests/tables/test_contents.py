"""A file is what its bytes say, whatever its name is: read for that, or named for what it is."""

import csv
import gzip
import io
import json
import re
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outsort.buffers import utf8_column
from outsort.errors import DataError
from outsort.scoring.files import Options, layout, score_file
from outsort.tables.base import ReadOptions, plain_texts
from outsort.tables.columns import NoColumnError, text_columns_of
from outsort.tables.contents import kind_in, packing_in
from outsort.tables.formats import FORMATS, UNREAD
from outsort.tables.sources import opened

ROWS = [{"id": "1", "description": "Key supplier invoices"}, {"id": "2", "description": "Draft a patent claim"}]


def table_as(style):
    """Return the rows as the bytes of a file, written by other libraries."""
    out = io.BytesIO()
    if style == "xlsx":
        book = openpyxl.Workbook()
        for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]:
            book.active.append(row)
        book.save(out)
    elif style == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), out)
    elif style in ("csv", "tsv"):
        text = io.StringIO()
        writer = csv.DictWriter(text, ROWS[0], delimiter="\t" if style == "tsv" else ",")
        writer.writeheader()
        writer.writerows(ROWS)
        return text.getvalue().encode()
    else:
        text = json.dumps(ROWS, indent=1) if style == "json" else "".join(json.dumps(row) + "\n" for row in ROWS)
        return text.encode()
    return out.getvalue()


def zipped(members, *, stored=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def read(path, **options):
    """Return the rows of a file as text, its format, and what is told of it."""
    with opened(str(path), ReadOptions(**options)) as table:
        columns = table.reader.columns
        rows = [
            dict(zip(columns, map(str, row), strict=True)) for batch in table.reader for row in batch.values(columns)
        ]
        return rows, table.format.name, table.notes


@pytest.mark.parametrize("style", ["csv", "tsv", "jsonl", "json", "parquet", "xlsx"])
@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet", "xls", "ods", "json", "csv.gz"])
def test_a_table_is_read_whatever_its_name_says(style, suffix, tmp_path):
    if style in ("csv", "tsv") and suffix == "json":
        pytest.skip("text that does not begin like JSON is JSON that is not valid")
    path = tmp_path / f"in.{suffix}"
    path.write_bytes(table_as(style))
    rows, found, notes = read(path)
    assert rows == ROWS
    assert found == ("csv" if style == "tsv" else style)
    is_named_right = suffix == style or (style == "tsv" and suffix == "csv")
    assert bool(notes) == (not is_named_right)
    assert all("whatever its name says" in note for note in notes)


@pytest.mark.parametrize("n_rows", [1, 3000])
@pytest.mark.parametrize("suffix", ["json", "csv"])
@pytest.mark.parametrize("before", ['{"rows": ', '{"n": 1, "found": {"of": "a, b", "rows": ', "["])
def test_json_on_one_line_is_json_whatever_its_length_and_depth(before, suffix, n_rows, tmp_path):
    # Such a line is longer than what is looked at, and was taken for a single row.
    rows = [{"id": str(i), "text": "key invoices"} for i in range(n_rows)]
    after = "}" * before.count("{")
    text = json.dumps(rows)[1:] if before == "[" else f"{json.dumps(rows)}{after}"
    (tmp_path / f"in.{suffix}").write_text(before + text)
    found, style, _ = read(tmp_path / f"in.{suffix}")
    assert (len(found), style) == (n_rows, "json")
    assert found == rows


def test_a_single_row_of_json_lines_may_hold_objects(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "key invoices", "lots": [{"n": 1}, {"n": 2}]}')
    (row,), style, _ = read(tmp_path / "in.jsonl")
    assert (row["text"], style) == ("key invoices", "jsonl")


def test_rows_by_their_key_are_not_one_row(tmp_path):
    rows = '{"7": {"text": "key invoices", "n": 1}, "8": {"text": "audit", "n": 2}}'
    (tmp_path / "in.json").write_text(rows)
    with pytest.raises(DataError, match=r"holds no array of objects\. Save its rows as one, or as JSON lines"):
        read(tmp_path / "in.json")
    (tmp_path / "in.json").write_text(rows.replace('"n": 2', '"other": 2'))
    assert len(read(tmp_path / "in.json")[0]) == 1


def test_rows_as_lists_on_one_line_are_not_one_row(tmp_path):
    # As pandas writes them with orient="split".
    (tmp_path / "in.json").write_text('{"columns": ["text"], "index": [0, 1], "data": [["key invoices"], ["audit"]]}\n')
    with pytest.raises(DataError, match=r"in\.json: holds rows as lists in 'data', with no names"):
        read(tmp_path / "in.json")


def test_json_on_one_line_that_is_broken_is_not_one_row(tmp_path):
    (tmp_path / "in.json").write_text('{"rows": [{"text": "key invoices"}, {"text": "audit}]}')
    with pytest.raises(DataError, match=r"in\.json: is not valid JSON"):
        read(tmp_path / "in.json", keep=True)


@pytest.mark.parametrize("name", ["in.csv", "in.txt", "in.jsonl"])
def test_a_packed_file_need_not_be_named_so(name, tmp_path):
    style = "jsonl" if name == "in.jsonl" else "csv"
    (tmp_path / name).write_bytes(gzip.compress(table_as(style)))
    rows, found, notes = read(tmp_path / name)
    assert (rows, found) == (ROWS, style)
    assert notes == ("is compressed by gzip, whatever its name says",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'<?xml version="1.0"?>\n<Workbook>', "an XML document"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a picture"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a picture"),
        (b"{\\rtf1\\ansi", "a Word document (RTF)"),
        (zipped({"ppt/presentation.xml": ""}), "a presentation"),
        (b"\xd0\xcf\x11\xe0" + bytes(508) + "WordDocument".encode("utf-16-le"), "a Word document of the old format"),
        (
            b"\xd0\xcf\x11\xe0" + bytes(508) + "EncryptedPackage".encode("utf-16-le"),
            "a workbook or document protected by a password",
        ),
        (b"Received: from a\r\n by b\r\nFrom: c\r\nSubject: d\r\nMIME-Version: 1.0\r\n\r\nid,text\r\n", "an e-mail"),
        (b"7z\xbc\xaf\x27\x1c\0", "an archive"),
        (b"SQLite format 3\0", "a SQLite database"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "xls", "tsv.gz"])
def test_what_is_no_table_is_named_for_what_it_is(content, words, suffix, model, tmp_path):
    path = tmp_path / f"in.{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"in.{suffix}: is {words}, which is not read. ")) as refusal:
        score_file(path, tmp_path / "out.csv", model)
    # One message, which ends with what to do; nothing is written.
    assert re.search(r"\. [A-Z][^.]+ .*\.$", str(refusal.value))
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html><table><tr><td>id</td></tr></table></html>", "a web page (HTML)"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<p>", "a web page (HTML)"),
        ("<html><body>".encode("utf-16"), "a web page (HTML)"),
        (b'<?xml version="1.0"?>\n<html xmlns="x">', "a web page (HTML)"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (zipped({"[Content_Types].xml": "", "word/document.xml": ""}), "a Word document"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "xls", "tsv.gz"])
def test_a_document_that_is_named_a_table_is_not_read_as_one_row(content, words, suffix, model, tmp_path):
    # A web page named .xls is what many programs export a table as.
    (tmp_path / f"in.{suffix}").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"in.{suffix}: is {words}, not a table. Save its table as .xlsx")):
        score_file(tmp_path / f"in.{suffix}", tmp_path / "out.csv", model)


def test_every_kind_that_is_not_read_says_what_to_do():
    assert all(re.fullmatch(r"[A-Z].+\.", unread.hint) and unread.words for unread in UNREAD)
    assert all(style.words and (style.magic or not any(style.inside)) for style in FORMATS.values())


@pytest.mark.parametrize(
    ("content", "style"),
    [
        (zipped({"[Content_Types].xml": "", "xl/workbook.xml": ""}), "xlsx"),
        (zipped({"xl/workbook.bin": "", "xl/worksheets/sheet1.bin": ""}), "xlsb"),
        (b"\xd0\xcf\x11\xe0" + bytes(508) + "Workbook".encode("utf-16-le"), "xls"),
        (b"\xd0\xcf\x11\xe0" + bytes(508) + "Book".encode("utf-16-le"), "xls"),
        (zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": ""}, stored=True), "ods"),
    ],
)
def test_workbooks_are_told_by_what_is_in_them(content, style):
    assert kind_in(io.BytesIO(content), "csv") is FORMATS[style]


@pytest.mark.parametrize(
    "header",
    ["id,<html>", "title|url", "From,To", "Subject: what,id", "BMW,description", "PK,text", "{id},text", "[1],x"],
)
def test_text_that_merely_resembles_another_kind_is_csv(header):
    stream = io.BytesIO(f"{header}\n1,key invoices\n".encode())
    assert (packing_in(stream), kind_in(stream, "csv")) == ("", None)


def test_the_words_of_the_user_tell_which_kind_of_text_it_is(tmp_path):
    (tmp_path / "in.csv").write_text('{"a": 1}\n')
    assert read(tmp_path / "in.csv")[0] == [{"a": "1"}]
    rows, found, notes = read(tmp_path / "in.csv", read_as="csv")
    assert (rows, found, notes) == ([], "csv", ())


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "txt", "jsonl"])
def test_a_damaged_archive_is_no_text(suffix, tmp_path):
    (tmp_path / f"in.{suffix}").write_bytes(zipped({"a.csv": b"text\nkey\n" * 9})[:-30])
    with pytest.raises(DataError, match=r"is a damaged archive or workbook|is damaged, or not compressed"):
        read(tmp_path / f"in.{suffix}")


PRINTED = {
    "psql": " id | duties \n----+--------\n  1 | Key invoices \n  2 | Mop floors \n(2 rows)\n",
    "sqlplus": "id|title|duties\n1|Clerk|Key invoices\n2|Cook|Mop, cook\n\n2 rows selected.\n",
    "markdown": "| id | duties | n |\n|----|--------|--:|\n| 1 | Key invoices | 5 |\n| 2 | Mop floors | 7 |\n",
    "SAP": "-----------\n|id|duties|n|\n-----------\n|1 |Key invoices|5|\n|2 |Mop floors|7|\n-----------\n",
}


@pytest.mark.parametrize("text", PRINTED.values(), ids=PRINTED)
def test_a_printed_table_is_read_with_its_rules_and_notes_marked(text, tmp_path):
    (tmp_path / "in.txt").write_text(text)
    with opened(str(tmp_path / "in.txt"), ReadOptions()) as table:
        assert table.format.name == "csv"
        found, batches = text_columns_of("in.txt", table.reader, ())
        texts = []
        for batch in batches:
            of_batch = plain_texts(batch.texts(found.parts))
            texts += [text.strip() for place, text in enumerate(of_batch) if place not in batch.faults]
    assert [column.name.strip() for column in found.parts[0]] == ["duties", "title"][: len(found.parts[0])]
    assert texts == ["Key invoices", "Mop, cook" if "Cook" in text else "Mop floors"]


JOBS = [["id", "", "title", "duties"], ["1", "", "Clerk", "Key invoices, file them"], ["2", "", "Cook", "Mop, cook"]]


@pytest.mark.parametrize("delimiter", ["|", "\t", ";", ","])
@pytest.mark.parametrize("before", [[], [["Jobs of May"], []]], ids=["", "below a title"])
def test_a_text_file_that_is_a_table_is_read_as_one(delimiter, before, tmp_path):
    """A column without a name, a cell with a line break or the delimiter in it, and a blank row, leave it one."""
    odd = ["3", "", "Typist", f"Type letters{delimiter}\nand file them"]
    with (tmp_path / "in.txt").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([*before, *JOBS, *JOBS[1:] * 8, odd, [""] * 4])
    with opened(str(tmp_path / "in.txt"), ReadOptions(keep=True)) as table:
        assert (table.format.name, table.reader.columns) == ("csv", JOBS[0])


@pytest.mark.parametrize(
    "text",
    [
        "We type letters, file them, and answer calls.\n\nWe also cook, mop, and drive.\n",
        "Scope of work\n\n1. Type letters; file them.\n2. Answer calls; note them; pass them on.\n",
    ],
)
def test_prose_is_a_document_and_told_how_to_be_a_table(text, tmp_path):
    (tmp_path / "in.txt").write_text(text)
    with opened(str(tmp_path / "in.txt"), ReadOptions()) as table:
        assert (table.format.name, table.notes) == ("txt", ("if its lines are rows of a table, pass --from csv",))


@pytest.mark.parametrize("name", ["in.pdf", "in.docx"])
def test_text_named_as_a_document_is_prose_unless_it_is_a_table(name, tmp_path):
    (tmp_path / name).write_text("endobj")
    with opened(str(tmp_path / name), ReadOptions()) as table:
        assert table.format.name == "txt"
        assert table.notes == ("is plain text, whatever its name says, and is read as that",)
        assert [len(batch) for batch in table.reader] == [1]
    # An option that speaks of columns says that there are some.
    assert read(tmp_path / name, has_header=False)[:2] == ([{"A": "endobj"}], "csv")
    (tmp_path / name).write_bytes(table_as("csv"))
    assert read(tmp_path / name)[:2] == (ROWS, "csv")


def test_a_workbook_named_csv_is_told_and_scored(outsort, tmp_path):
    (tmp_path / "in.csv").write_bytes(table_as("xlsx"))
    done = outsort("score", tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    said = "is an Excel workbook, whatever its name says, and is read as that"
    assert (done.code, done.err.splitlines()[0].partition("; ")) == (
        0,
        (f"{tmp_path}/in.csv: sheet 'Sheet', text column 'description', 2 rows", "; ", said),
    )
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["BPO", "KPO"]


class TestArchives:
    def test_the_one_table_is_read(self, tmp_path):
        members = {
            "a/tasks.csv": table_as("csv"),
            "readme.pdf": b"%PDF",
            "readme.txt": b"Read me first. Then the table.",
            "__MACOSX/a/._tasks.csv": b"x",
            ".DS_Store": b"x",
        }
        (tmp_path / "in.zip").write_bytes(zipped(members))
        rows, found, notes = read(tmp_path / "in.zip")
        assert (rows, found, notes) == (ROWS, "csv", ())

    @pytest.mark.parametrize("style", ["csv", "tsv", "jsonl", "json", "parquet", "xlsx", "csv.gz"])
    def test_of_every_format(self, style, tmp_path):
        content = table_as(style.removesuffix(".gz"))
        content = gzip.compress(content) if style.endswith(".gz") else content
        (tmp_path / "in.zip").write_bytes(zipped({f"tasks.{style}": content}))
        if style == "csv.gz":
            with pytest.raises(DataError, match=r"in\.zip: is compressed twice, the second time by gzip"):
                read(tmp_path / "in.zip")
        else:
            assert read(tmp_path / "in.zip")[:2] == (ROWS, style)

    @pytest.mark.parametrize(
        ("members", "said"),
        [
            ({"a.csv": "x", "b.xlsx": "y"}, r"in\.zip: holds 2 tables: 'a.csv', 'b.xlsx'. Unpack it, and name one"),
            ({f"{i}.csv": "x" for i in range(9)}, "holds 9 tables: '0.csv', .* '4.csv' and 4 more. Unpack it"),
            ({"a.png": "x"}, "holds no table; it has 'a.png'. Unpack it, and name a table."),
            ({"a.pdf": "x", "b.docx": "y"}, "holds 2 documents: 'a.pdf', 'b.docx'. Unpack it, and name one"),
            ({"a.zip": "x"}, "holds no table; it has 'a.zip'."),
            ({}, "holds no table; it has nothing in it"),
        ],
    )
    def test_several_tables_or_none_are_named(self, members, said, tmp_path):
        content = zipped(members) if members else b"PK\x05\x06" + bytes(18)
        (tmp_path / "in.zip").write_bytes(content)
        with pytest.raises(DataError, match=said if members else "in.zip: "):
            read(tmp_path / "in.zip")

    def test_a_password_is_told(self, tmp_path):
        raw = bytearray(zipped({"a.csv": table_as("csv")}))
        raw[raw.index(b"PK\x01\x02") + 8] |= 1
        raw[6] |= 1
        (tmp_path / "in.zip").write_bytes(raw)
        with pytest.raises(DataError, match=r"in\.zip: is protected by a password\. Unpack it first\."):
            read(tmp_path / "in.zip")

    def test_a_bomb_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("outsort.tables.packing._GROWTH_ASKED", 1 << 20)
        (tmp_path / "in.zip").write_bytes(zipped({"a.csv": b"text\n" + b"a\n" * 4_000_000}))
        with pytest.raises(DataError, match=r"in\.zip: unpacks to more than 300 times its size"):
            read(tmp_path / "in.zip")

    def test_damage_within_is_told(self, tmp_path):
        raw = bytearray(zipped({"a.csv": table_as("csv") * 50}))
        raw[60] ^= 0xFF
        (tmp_path / "in.zip").write_bytes(raw)
        with pytest.raises(DataError, match=r"in\.zip: is damaged, or not a ZIP archive"):
            read(tmp_path / "in.zip")

    def test_an_output_is_not_packed_so(self, outsort, tmp_path):
        (tmp_path / "in.csv").write_bytes(table_as("csv"))
        done = outsort("score", tmp_path / "in.csv", "-o", tmp_path / "out.zip")
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "out.zip: .zip is read, but not written. Name another output" in done.err


NESTED = [
    {"ocid": "a", "tender": {"title": "x", "description": "Key supplier invoices", "buyer": {"name": "town"}}},
    {"ocid": "b", "tender": {"description": "Draft a patent claim", "buyer": None}},
    {"ocid": "c", "tender": None},
]


def _texts_of(path, *wanted):
    """Return the texts of the columns asked for."""
    with opened(str(path), ReadOptions()) as table:
        found, batches = text_columns_of(str(path), table.reader, wanted)
        return [text or "" for batch in batches for text in utf8_column(batch.texts(found.parts)).to_pylist()]


class TestPaths:
    """Text columns that are in objects."""

    @pytest.fixture(params=["json", "jsonl", "parquet"])
    def source(self, request, tmp_path):
        path = tmp_path / f"in.{request.param}"
        if request.param == "parquet":
            pq.write_table(pa.Table.from_pylist(NESTED), path)
        else:
            path.write_text(json.dumps(NESTED) if request.param == "json" else "\n".join(map(json.dumps, NESTED)))
        return path

    @pytest.mark.parametrize(
        ("path", "texts"),
        [
            ("tender.description", ["Key supplier invoices", "Draft a patent claim", ""]),
            ("tender.buyer.name", ["town", "", ""]),
        ],
    )
    def test_a_path_names_what_is_within(self, source, path, texts):
        assert _texts_of(source, path) == texts
        assert layout(source, Options(text_columns=[path]), []).text_columns == [[path]]

    def test_it_may_be_read_where_a_column_is_blank_and_beside_another(self, source):
        assert _texts_of(source, "tender.buyer.name|tender.description") == ["town", "Draft a patent claim", ""]
        assert _texts_of(source, "ocid", "tender.buyer.name") == ["a town", "b", "c"]

    def test_it_has_no_number_or_letter(self, source):
        n = len(NESTED[0])
        for beyond in (str(n + 1), "ABC"[n]):
            with pytest.raises(NoColumnError, match=f"no column '{beyond}'"):
                _texts_of(source, beyond)

    def test_it_is_found_as_a_column_is(self, source, tmp_path):
        """What holds objects is no text: its cells read like descriptions, with all there is in them."""
        told = []
        score_file(source, tmp_path / "out.csv", tell=told.append)
        assert "text column 'tender.description', 'tender.title' where it is blank" in told[0]
        with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
            assert [row["label"] for row in csv.DictReader(file)][:2] == ["BPO", "KPO"]

    def test_where_no_path_is_clear_those_that_may_be_meant_are_named(self, tmp_path):
        rows = [
            {"n": 1, "work": {"by hand": text, "by machine": text[::-1]}} for text in ("Key invoices", "Mop floors")
        ]
        (tmp_path / "in.json").write_text(json.dumps(rows))
        with pytest.raises(NoColumnError, match=r"it has 'n', 'work', 'work\.by hand', 'work\.by machine'"):
            score_file(tmp_path / "in.json", tmp_path / "out.csv")

    def test_rows_are_scored_by_it_and_come_back_whole(self, source, tmp_path):
        score_file(source, tmp_path / "out.jsonl", options=Options(text_columns=["tender.description"]))
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [row["label"] for row in rows[:2]] == ["BPO", "KPO"]
        assert rows[2]["reason"] == "empty"
        assert [row["ocid"] for row in rows] == ["a", "b", "c"]
        assert [(row["tender"] or {}).get("description") for row in rows] == [
            *("Key supplier invoices", "Draft a patent claim"),
            None,
        ]

    def test_a_path_that_there_is_not_is_refused_with_those_there_are(self, source, tmp_path):
        with pytest.raises(
            DataError, match=r"no column 'tender.what'; it has 'ocid', 'tender', .*'tender.description'"
        ):
            score_file(source, tmp_path / "out.jsonl", options=Options(text_columns=["tender.what"]))

    @pytest.mark.parametrize("style", ["json", "jsonl", "parquet"])
    def test_a_whole_name_wins(self, style, tmp_path):
        rows = [{"a.b": "key invoices", "a": {"b": "draft a contract", "c.d": "mop floors"}}]
        path = tmp_path / f"in.{style}"
        if style == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            path.write_text(json.dumps(rows) if style == "json" else json.dumps(rows[0]))
        for column, text in [("a.b", "key invoices"), ("a.c.d", "mop floors")]:
            assert _texts_of(path, column) == [text]

    def test_a_struct_is_found_beside_columns_of_its_name(self, tmp_path):
        arrays = [pa.array([1]), pa.array([{"n": "?"}]), pa.array([{"text": "key invoices"}])]
        pq.write_table(pa.Table.from_arrays(arrays, names=["work"] * 3), tmp_path / "in.parquet")
        assert _texts_of(tmp_path / "in.parquet", "work.text") == ["key invoices"]

    @pytest.mark.parametrize("wanted", [(), ("work.text",)], ids=["found", "named"])
    def test_two_fields_of_one_name_are_refused_without_a_number(self, wanted, tmp_path):
        twins = pa.StructArray.from_arrays([pa.array(["key invoices"]), pa.array(["x"])], names=["text", "text"])
        pq.write_table(pa.table({"id": [1], "work": twins}), tmp_path / "in.parquet")
        with pytest.raises(NoColumnError, match=r"2 fields 'work\.text', which cannot be told apart\. Rename one"):
            _texts_of(tmp_path / "in.parquet", *wanted)

    @pytest.mark.parametrize("style", ["json", "jsonl", "parquet"])
    def test_labelled_texts_are_read_by_it(self, style, tmp_path):
        from outsort.data.dataset import read as read_labelled

        rows = [
            {"work": {"text": f"{verb} {n}"}, "label": "BPO" if n % 2 else "KPO"} for n, verb in enumerate("abcdef")
        ]
        path = tmp_path / f"in.{style}"
        if style == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            path.write_text(json.dumps(rows) if style == "json" else "\n".join(map(json.dumps, rows)))
        assert read_labelled(path, text_column="work.text").texts == [row["work"]["text"] for row in rows]
