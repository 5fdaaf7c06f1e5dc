"""Tables in, tables out: nothing lost, nothing moved, nothing changed."""

import csv
import datetime
import gzip
import io
import json
import random
import resource
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import nullcontext
from itertools import islice

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import outsort as package
from models import ADDED, random_model
from outsort.errors import DataError, DataWarning, OutputError, Unlike
from outsort.prediction import predict
from outsort.scoring.files import Layout, Options, layout, score_file
from outsort.scoring.frames import score
from outsort.scoring.scorer import Scorer, added_columns
from outsort.tables.formats import format_of
from outsort.tables.reading import Reading

TEXTS = [
    "Key invoices into SAP",
    'Say "yes", twice',
    "Übersetzung, 翻訳",
    "",
    "500",
    "=SUM(A1)",
    "multi\nline",
    "Key invoices. Draft a legal opinion on the lease",
]


@pytest.fixture
def table():
    """Columns that a careless tool would spoil, beside texts."""
    return pd.DataFrame(
        {
            "id": [f"{i:05d}" for i in range(len(TEXTS))],
            "description": TEXTS,
            "day": ["03/04/2026", "2026-01-02", "1e5", "TRUE", "12345678901234567890", "-", " padded ", "0"],
        }
    )


@pytest.fixture
def csv_path(table, tmp_path):
    table.to_csv(tmp_path / "in.csv", index=False)
    return tmp_path / "in.csv"


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def answers():
    return [
        (
            *(a.label, round(a.probability, 6), a.probabilities, a.service_line or "", a.decision, a.reason),
            a.shares | {"margin": a.share_margin},
        )
        for a in predict(TEXTS)
    ]


def read_back(path):
    style, packing = format_of(path)
    if style.name == "parquet":
        return pq.read_table(path).to_pylist()
    if style.name == "xlsx":
        sheet = openpyxl.load_workbook(path).active
        names, *rows = sheet.iter_rows(values_only=True)
        return [dict(zip(names, row, strict=True)) for row in rows]
    raw = path.read_bytes()
    if packing == "gzip":
        raw = gzip.decompress(raw)
    if packing == "zstd":
        raw = pa.CompressedInputStream(pa.BufferReader(raw), "zstd").read()
    if style.name == "jsonl":
        return [json.loads(line) for line in raw.decode().splitlines()]
    text = io.StringIO(raw.decode("utf-8-sig"), newline="")
    return list(csv.DictReader(text, delimiter="\t" if style.name == "tsv" else ","))


FORMATS = ["csv", "tsv", "jsonl", "parquet", "xlsx", "csv.gz", "jsonl.zst"]


@pytest.mark.parametrize("style", FORMATS)
def test_every_format_holds_the_cells_as_they_were_and_the_answers_of_predict(csv_path, table, tmp_path, style):
    out = tmp_path / f"out.{style}"
    assert score_file(csv_path, out) == len(TEXTS)
    rows = read_back(out)
    assert list(rows[0]) == [*table.columns, *ADDED]
    for row, cells, (label, probability, probabilities, line, decision, reason, shares) in zip(
        rows, table.to_dict("records"), answers(), strict=True
    ):
        for name in table.columns:
            assert (row[name] or "") == cells[name]
        assert row["label"] == label
        assert float(row["probability"]) == pytest.approx(probability, abs=1e-5)
        assert row["probability"] == row[f"p_{label}"]
        assert {name: float(row[f"p_{name}"]) for name in probabilities} == pytest.approx(probabilities, abs=1e-5)
        assert (row["service_line"] or "") == line
        assert (row["decision"], row["reason"] or "") == (decision, reason)
        # To a thousandth: these are no surer than that.
        assert {name: float(row[f"share_{name}"]) for name in shares} == pytest.approx(shares, abs=6e-4)


@pytest.mark.parametrize("style", FORMATS)
def test_every_format_can_be_read_and_answers_alike(csv_path, tmp_path, style):
    score_file(csv_path, tmp_path / f"first.{style}")
    options = Options(text_columns=["description"])
    assert score_file(tmp_path / f"first.{style}", tmp_path / "second.csv", options=options) == len(TEXTS)
    for row in rows_of(tmp_path / "second.csv"):
        assert row["outsort_label"] == row["label"]
        assert row["outsort_reason"] == row["reason"]
        assert float(row["outsort_probability"]) == pytest.approx(float(row["probability"]))


def test_types_of_parquet_stay(tmp_path):
    table = pa.table(
        {
            "n": pa.array([1, None], pa.int16()),
            "when": pa.array([datetime.date(2026, 1, 2), None]),
            "price": pa.array([1.5, 2.5], pa.float32()),
            "tags": pa.array([["a"], []], pa.list_(pa.string())),
            "task": ["key invoices", None],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    score_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    scored = pq.read_table(tmp_path / "out.parquet")
    assert scored.select(table.column_names).equals(table)
    assert scored["reason"].to_pylist() == ["", "empty"]


def test_types_of_a_parquet_file_without_rows_stay(tmp_path, model):
    # The oracle: the types of the same file with a row in it.
    table = pa.table(
        {
            "n": pa.array([1], pa.int16()),
            "when": pa.array([datetime.date(2026, 1, 2)]),
            "price": pa.array([1.5], pa.float32()),
            "tags": pa.array([["a"]], pa.list_(pa.string())),
            "task": ["key invoices"],
        }
    )
    types = []
    for n_rows in (1, 0):
        pq.write_table(table.slice(0, n_rows), tmp_path / "in.parquet")
        assert score_file(tmp_path / "in.parquet", tmp_path / f"out{n_rows}.parquet", model) == n_rows
        types.append(pq.read_schema(tmp_path / f"out{n_rows}.parquet"))
    assert types[0].names == [*table.column_names, *ADDED]
    assert types[1].equals(types[0])


def test_cells_beyond_a_sheets_header_are_kept_in_the_reason(tmp_path, model):
    book = openpyxl.Workbook()
    for row in [["task", "n"], ["key invoices", 1, None, "surplus"], ["draft a contract", 2]]:
        book.active.append(row)
    book.save(tmp_path / "in.xlsx")
    assert score_file(tmp_path / "in.xlsx", tmp_path / "out.xlsx", model) == 2
    header, odd, plain = openpyxl.load_workbook(tmp_path / "out.xlsx").active.iter_rows(values_only=True)
    assert header[:2] == ("task", "n")
    assert plain[header.index("label")] == "KPO"
    assert odd[:2] == ("key invoices", 1)
    assert odd[header.index("label")] == "BPO"
    assert odd[header.index("reason")] == 'has cells beyond the header: ["surplus"]'


def test_a_json_line_goes_out_as_it_came(tmp_path):
    lines = ['{"task": "key invoices", "n": 1.0, "big": 12345678901234567890}', '{"task":"x","more":{"a":[1]}}', "{}"]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    score_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    out = (tmp_path / "out.jsonl").read_text().splitlines()
    assert all(new.startswith(old[:-1]) for old, new in zip(lines, out, strict=True))
    assert [json.loads(line)["decision"] for line in out][2] == "review"


def test_keys_that_come_late_are_columns_too(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"task": "key invoices"}\n{"task": "x", "late": 7}\n')
    score_file(tmp_path / "in.jsonl", tmp_path / "out.csv")
    assert [row["late"] for row in rows_of(tmp_path / "out.csv")] == ["", "7"]


def test_a_new_workbook_looks_as_a_person_would_have_made_it(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["ref", "task", "due", "fee"])
    sheet.append(["007", "=zzqx|qqz", datetime.datetime(2026, 5, 1), 1234.5])
    sheet["B2"].data_type = "s"
    sheet["D2"].number_format = "#,##0.00 €"
    sheet.append(["008", "Key invoices into the ledger", None, None])
    book.save(tmp_path / "in.xlsx")
    score_file(tmp_path / "in.xlsx", tmp_path / "out.xlsx", options=Options(plain=True))
    out = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert out.freeze_panes == "A2"
    assert out.auto_filter.ref == "A1:Q3"
    assert (out["A2"].value, out["B2"].value, out["B2"].data_type) == ("007", "=zzqx|qqz", "s")
    assert out["C2"].value == datetime.datetime(2026, 5, 1)
    assert (out["D2"].value, out["D2"].number_format) == (1234.5, "#,##0.00 €")
    decisions = {out[f"K{row}"].value: out[f"K{row}"].fill.fgColor.rgb for row in (2, 3)}
    assert len(decisions) == len(set(decisions.values())) == 2
    assert out.column_dimensions["B"].width > out.column_dimensions["A"].width


@pytest.mark.slow
def test_a_sheet_that_claims_to_be_huge_takes_what_it_holds(tmp_path):
    # A sheet of the greatest size, of two rows: taken at its word it took hours.
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A3"] = "text", "key invoices"
    book.save(tmp_path / "plain.xlsx")
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as plain, zipfile.ZipFile(tmp_path / "huge.xlsx", "w") as huge:
        for name in plain.namelist():
            content = plain.read(name).replace(b'"A1:A3"', b'"A1:XFD1048576"')
            huge.writestr(name, content.replace(b'row r="3"', b'row r="40000"').replace(b'"A3"', b'"A40000"'))
    assert score_file(tmp_path / "huge.xlsx", tmp_path / "out.csv") == 39_999
    last = rows_of(tmp_path / "out.csv")[-1]
    assert (last["text"], last["label"]) == ("key invoices", "BPO")


def test_the_layout_of_a_file_is_told_before_it_is_scored(csv_path, tmp_path):
    assert layout(csv_path, Options(), ADDED) == Layout(["id", "description", "day"], [["description"]], "")
    score_file(csv_path, tmp_path / "once.jsonl")
    columns = ["id", "description", "day", *ADDED]
    assert layout(tmp_path / "once.jsonl", Options(), ADDED) == Layout(columns, [["description"]], "outsort_")


def test_a_scorer_made_once_scores_many_files(csv_path, tmp_path, model):
    scorer = Scorer(model, workers=1)
    score_file(csv_path, tmp_path / "expected.csv", model)
    for name in ("a.csv", "b.csv"):
        score_file(csv_path, tmp_path / name, scorer)
        assert (tmp_path / name).read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_rows_of_numbers_and_dates_get_their_reason(tmp_path):
    rows = '{"task": 5}\n{"task": null}\n{"task": "2026-01-02"}\n{"task": true}\n{"other": 1}\n'
    (tmp_path / "in.jsonl").write_text(rows)
    score_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl", options=Options(text_columns=["task"]))
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert reasons[:3] == ["no words", "empty", "no words"]
    assert reasons[4] == "empty"


def test_several_text_columns_are_joined(csv_path, tmp_path):
    options = Options(text_columns=["description", "day"], prefix="p_", explain=True)
    score_file(csv_path, tmp_path / "out.csv", options=options)
    first = rows_of(tmp_path / "out.csv")[0]
    assert float(first["p_probability"]) == pytest.approx(predict(f"{TEXTS[0]} 03/04/2026").probability, abs=1e-5)
    assert "invoices" in first["p_for"].split("; ")


def test_a_limit_takes_the_first_rows(csv_path, tmp_path):
    assert score_file(csv_path, tmp_path / "out.csv", options=Options(limit=3)) == 3
    assert [row["id"] for row in rows_of(tmp_path / "out.csv")] == ["00000", "00001", "00002"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_dialects_stay_and_encodings_become_one_that_excel_opens(tmp_path, encoding, delimiter):
    raw = f"id{delimiter}task\r\n007{delimiter}Übersetzung\r\n"
    (tmp_path / "in.csv").write_bytes(raw.encode(encoding))
    told = (
        pytest.warns(DataWarning, match=r"in\.csv: text column 'task', 1 row; read as cp1252")
        if encoding == "cp1252"
        else nullcontext()
    )
    with told:
        score_file(tmp_path / "in.csv", tmp_path / "out.csv")
    out = (tmp_path / "out.csv").read_bytes()
    assert out.startswith(b"\xef\xbb\xbfid" + delimiter.encode())
    assert f"007{delimiter}Übersetzung{delimiter}".encode() in out
    assert out.count(b"\r\n") == 2


@pytest.mark.slow
def test_frames_and_arrow_tables_and_iterators_of_them(table):
    table.index = list("abcdefgh")
    scored = score(table)
    assert list(scored.index) == list(table.index)
    assert list(scored.columns) == [*table.columns, *ADDED]
    pd.testing.assert_frame_equal(scored[table.columns], table)
    arrow = score(pa.Table.from_pandas(table, preserve_index=False))
    assert arrow["label"].to_pylist() == scored["label"].tolist()
    parts = list(score(iter([table.iloc[:3], table.iloc[3:]])))
    pd.testing.assert_frame_equal(pd.concat(parts), scored)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("tasks.csv", "got a str: outsort.predict takes texts, and outsort.score_file takes files"),
        (["key invoices"], "got a str: outsort.predict takes texts"),
        (pd.Series(["key invoices"]), r"got a Series: pass series.to_frame\('text'\)"),
        ({"text": ["key invoices"]}, r"got a dict: make one of it, as in pandas.DataFrame"),
        ([{"text": "key invoices"}], r"got a dict: make one of it, as in pandas.DataFrame"),
        (None, "expected a table of pandas or Arrow, or an iterable of tables, got a NoneType"),
    ],
)
def test_what_is_no_table_is_refused_with_the_way_out(model, given, message):
    with pytest.raises(TypeError, match=message):
        score(given, model)


def test_a_frame_without_names_of_columns(model):
    assert score(pd.DataFrame(["key invoices", "draft a contract"]), model)["label"].tolist() == ["BPO", "KPO"]
    frame = pd.DataFrame([["a contract to draft", "an invoice to key"]])
    with pytest.raises(DataError, match=r"it may be '1' or '0'; it has '0', '1'. Name one with text_column."):
        score(frame, model)
    # A name comes before a number.
    assert score(frame, model, text_column="1")["label"].tolist() == ["BPO"]
    assert score(frame, model, text_column="2")["label"].tolist() == ["BPO"]


def test_the_column_of_a_frame_is_found_by_its_cells_and_said(model):
    frame = pd.DataFrame({"Ref": [1, 2], "What": ["key invoices into the ledger", "draft a contract for the bank"]})
    with pytest.warns(DataWarning, match=r"the table: text column 'What', which reads like .* \(text_column='What'\)"):
        scored = score(frame, model)
    assert scored["label"].tolist() == ["BPO", "KPO"]
    with pytest.warns(DataWarning, match="'What'"):
        assert score(pa.Table.from_pandas(frame), model)["label"].to_pylist() == ["BPO", "KPO"]
    # Parts of a table are all read alike: by headings, or by the column named.
    with pytest.raises(DataError, match="no text column"):
        next(score([frame], model))


def test_a_frame_with_two_columns_of_one_name(model):
    frame = pd.DataFrame([["", "key invoices", "x"]], columns=["task", "n", "task"])
    for data in (frame, pa.Table.from_arrays([[c] for c in frame.iloc[0]], names=list(frame.columns))):
        with pytest.raises(DataError, match=r"2 columns 'task'\. Name one with text_column by number: 1 or 3\."):
            score(data, model, text_column="task")
        scored = score(data, model, text_column="1|B")
        assert list(scored["label"].tolist() if data is frame else scored["label"].to_pylist()) == ["BPO"]
        assert list(frame.columns) == ["task", "n", "task"]


@pytest.mark.parametrize("style", ["csv", "tsv", "jsonl", "parquet", "xlsx"])
def test_the_title_is_read_where_the_description_is_blank_in_every_format(style, model, tmp_path):
    rows = [("Type invoices", ""), ("", "Draft a contract"), ("Legal research", "  "), ("x", "Payroll")]
    frame = pd.DataFrame(rows, columns=["title", "description"])
    frame.to_csv(tmp_path / "from.csv", index=False)
    expected = [
        predict(text, model).label for text in ("Type invoices", "Draft a contract", "Legal research", "Payroll")
    ]
    told = []
    options = Options(prefix="x_")
    score_file(tmp_path / "from.csv", tmp_path / f"in.{style}", model, tell=told.append, options=options)
    score_file(tmp_path / f"in.{style}", tmp_path / "out.csv", model, tell=told.append)
    rows = rows_of(tmp_path / "out.csv")
    assert [row["label"] for row in rows] == expected
    # White space is as blank as nothing.
    assert "empty" not in {row["reason"] for row in rows}
    said = "text column 'description', 'title' where it is blank (--text-column 'description|title')"
    assert [line.endswith(f"{said}, 4 rows") for line in told] == [True, True]


def test_a_column_is_named_by_its_letter_or_number(csv_path, tmp_path, model):
    outs = []
    for name in ("description", "2", "B", "Description"):
        score_file(csv_path, tmp_path / "out.csv", model, force=True, options=Options(text_columns=[name]))
        outs.append((tmp_path / "out.csv").read_bytes())
    assert len(set(outs)) == 1


def test_a_lone_carriage_return_does_not_end_a_row(tmp_path):
    (tmp_path / "in.jsonl").write_text('{"n": 1, "text": "key\\rinvoices"}\n{"n": 2, "text": "a logo"}\n')
    score_file(tmp_path / "in.jsonl", tmp_path / "out.csv")
    score_file(tmp_path / "out.csv", tmp_path / "again.csv")
    assert [row["text"] for row in rows_of(tmp_path / "again.csv")] == ["key\rinvoices", "a logo"]


def texts_of_all_of_unicode(n):
    """Words between signs from anywhere, twelve a text: from 93,000 texts on, every sign there is."""
    rng = random.Random(0)
    points = [*range(1, 0xD800), *range(0xE000, 0x110000)]
    signs = map(chr, rng.sample(points, min(12 * n, len(points))))
    words = ["invoice", "Design", "naïve", "翻訳", "данные", "🧾", "a\u0301", "ﬁ", "keying", "patent search"]
    return [
        "".join(sign + rng.choice(["", " "]) + rng.choice(["", *words]) for sign in islice(signs, 12)) for _ in range(n)
    ]


@pytest.mark.slow
def test_score_equals_predict_on_many_texts_of_all_of_unicode(tmp_path, n_texts):
    texts = texts_of_all_of_unicode(n_texts)
    table = pd.DataFrame({"n": range(n_texts), "text": texts})
    table.to_json(tmp_path / "in.jsonl", orient="records", lines=True)
    # With this end of lines pandas puts a lone carriage return in quotes, and with others not.
    table.to_csv(tmp_path / "in.csv", index=False, lineterminator="\r\n")
    answers = predict(texts)
    for name in ("jsonl", "csv"):
        told: list[str] = []
        score_file(tmp_path / f"in.{name}", tmp_path / f"out.{name}", tell=told.append)
        # Letters drawn at random are unlike any rows, which is all there is to tell.
        assert [type(message) for message in told if not isinstance(message, Reading)] == [Unlike]
        rows = read_back(tmp_path / f"out.{name}")
        assert [(int(row["n"]), row["text"]) for row in rows] == list(enumerate(texts))
        for row, answer in zip(rows, answers, strict=True):
            assert (row["label"], row["decision"], row["reason"]) == (answer.label, answer.decision, answer.reason)
            assert float(row["probability"]) == pytest.approx(answer.probability, abs=1e-5)


class TestBadInput:
    @pytest.mark.parametrize(
        ("content", "row", "why"),
        [
            (b"id,text\n1,a\n2,b,c\n3,d\n", 3, "has 3 cells where the header has 2"),
            (b"id,text\n1,a\n2\n3,d\n", 3, "has 1 cell where the header has 2"),
            (b"id,text,n\n1,a,\n2,b\n3,d,1\n", 3, "has 2 cells where the header has 3"),
            (b'id,text\n1,a\n2,"b\n3,d\n', 3, "cannot be read as CSV"),
            (b'id,text\n1,a\n2,"b"x\n3,d\n', 3, "cannot be read as CSV"),
            (b"id,text\n1,a\n2,b\x00\n3,d\n", 3, "holds a NUL byte"),
            ("id,text\n1,ä\n".encode() * 6000 + b"2,b\xff\n3,d\n", None, "is not valid utf-8"),
        ],
    )
    def test_a_broken_row_stops_the_run_or_comes_along(self, outsort, model_path, tmp_path, content, row, why):
        (tmp_path / "in.csv").write_bytes(content)
        done = outsort("score", "-m", model_path, tmp_path / "in.csv", "-o", tmp_path / "out.csv")
        assert done.code == 1
        assert why in done.err
        if row:
            assert f"in.csv, row {row} {why}" in done.err
        assert "--on-error keep" in done.err
        assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv"]
        kept = outsort("score", "-m", model_path, tmp_path / "in.csv", "-o", tmp_path / "out.csv", "--on-error", "keep")
        assert kept.code == 0
        out = (tmp_path / "out.csv").read_bytes()
        assert out.count(b",") > 0
        lines = out.decode("utf-8", "surrogateescape").splitlines()
        assert len(lines) == len(content.splitlines())
        assert lines[-1].startswith("3,d,")
        (broken,) = [line for line in lines if why in line]
        assert ",review," in broken

    @pytest.mark.parametrize("line", ["[1, 2]", "not json", '"text"', '{"a": 1', "{" * 100_000])
    def test_a_json_line_that_is_no_object(self, outsort, model_path, tmp_path, line):
        (tmp_path / "in.jsonl").write_text(f'{{"task": "a"}}\n{line}\n{{"task": "b"}}\n')
        done = outsort("score", "-m", model_path, tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl")
        assert done.code == 1
        assert "in.jsonl, line 2 is not " in done.err
        assert (
            outsort(
                "score", "-m", model_path, tmp_path / "in.jsonl", "-o", tmp_path / "out.jsonl", "--on-error", "keep"
            ).code
            == 0
        )
        rows = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [row["decision"] for row in rows][1] == "review"
        assert rows[1]["line"] == line

    @pytest.mark.parametrize("name", ["in.csv", "in.parquet", "in.xlsx", "in.jsonl", "in.csv.gz", "in.csv.zst"])
    def test_bytes_that_are_something_else_are_one_message(self, outsort, model_path, tmp_path, name):
        (tmp_path / name).write_bytes(b"" if name == "in.csv" else b"PK\x03\x04 nothing of the kind \x00\xff")
        done = outsort("score", "-m", model_path, tmp_path / name, "-o", tmp_path / "out.csv")
        assert done.code == 1
        assert done.err.count("\n") == 1
        assert done.err.startswith(f"outsort: {tmp_path}/{name}")
        assert not (tmp_path / "out.csv").exists()

    def test_workbooks_that_are_locked_or_hold_macros(self, outsort, model_path, tmp_path):
        (tmp_path / "locked.xlsx").write_bytes(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le")
        )
        assert (
            "protected by a password"
            in outsort("score", "-m", model_path, tmp_path / "locked.xlsx", "-o", tmp_path / "o.csv").err
        )
        with zipfile.ZipFile(tmp_path / "macro.xlsx", "w") as archive:
            archive.writestr("xl/vbaProject.bin", b"x")
        assert (
            "workbook with macros"
            in outsort("score", "-m", model_path, tmp_path / "macro.xlsx", "-o", tmp_path / "o.csv").err
        )
        (tmp_path / "a.xlsm").write_bytes(b"PK")
        assert (
            "workbook with macros"
            in outsort("score", "-m", model_path, tmp_path / "a.xlsm", "-o", tmp_path / "o.csv").err
        )

    def test_bombs_are_refused_in_bounded_memory(self, outsort, model_path, tmp_path, monkeypatch):
        monkeypatch.setattr("outsort.tables.packing._GROWTH_ASKED", 1 << 20)
        (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"text\n" + b"a\n" * 4_000_000))
        assert (
            "300 times its size"
            in outsort("score", "-m", model_path, tmp_path / "b.csv.gz", "-o", tmp_path / "o.csv").err
        )
        with zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/worksheets/sheet1.xml", b"0" * 10_000_000)
        assert (
            "300 times its size"
            in outsort("score", "-m", model_path, tmp_path / "b.xlsx", "-o", tmp_path / "o.csv").err
        )
        assert not (tmp_path / "o.csv").exists()

    def test_no_text_column_names_those_there_are(self, outsort, model_path, tmp_path):
        pq.write_table(pa.table({"a": [1], "b": [2]}), tmp_path / "in.parquet")
        done = outsort("score", "-m", model_path, tmp_path / "in.parquet", "-o", tmp_path / "o.csv")
        assert done.code == 1
        assert "no text column; it has 'a', 'b'. Name one with --text-column." in done.err

    def test_an_unknown_format_names_the_known_ones(self, outsort, model_path, csv_path, tmp_path):
        done = outsort("score", "-m", model_path, csv_path, "-o", tmp_path / "out.odt")
        assert done.code == 1
        assert (
            "csv (also .gz, .zst), tsv (also .gz, .zst), jsonl (also .gz, .zst), json (also .gz, .zst), parquet, xlsx"
            in done.err
        )

    def test_outputs_in_the_way_are_left_alone(self, csv_path, tmp_path):
        (tmp_path / "out.csv").write_text("old")
        with pytest.raises(OutputError, match="already exists"):
            score_file(csv_path, tmp_path / "out.csv")
        assert (tmp_path / "out.csv").read_text() == "old"
        before = csv_path.read_bytes()
        with pytest.raises(OutputError, match="is the input"):
            score_file(csv_path, csv_path, force=True)
        assert csv_path.read_bytes() == before

    @pytest.mark.slow
    def test_a_full_disk_leaves_no_half_file(self, csv_path, tmp_path):
        # A limit on the size of files fails a write half way, as a full disk does.
        command = [sys.executable, "-B", "-m", "outsort", "score", csv_path, "-o", tmp_path / "out.csv"]
        limit = (100, 100)
        done = subprocess.run(
            command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit), capture_output=True, text=True
        )
        assert done.returncode == 1
        assert done.stderr.endswith(f"outsort: {tmp_path}/out.csv: cannot be written (File too large).\n")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv"]

    def test_a_device_is_no_output(self, outsort, csv_path):
        done = outsort("score", csv_path, "-o", "/dev/null", "--to", "csv", "--force")
        assert done.err == "outsort: /dev/null: is not a regular file. Name one, or - for standard output.\n"

    @pytest.mark.slow
    def test_taken_column_names_ask_for_a_prefix(self, csv_path, tmp_path):
        score_file(csv_path, tmp_path / "1.csv")
        score_file(tmp_path / "1.csv", tmp_path / "2.csv")
        with pytest.raises(DataError, match=r"already\. Name a --prefix"):
            score_file(tmp_path / "2.csv", tmp_path / "3.csv")
        score_file(tmp_path / "2.csv", tmp_path / "3.csv", options=Options(prefix="third_"))

    @pytest.mark.slow
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
    def test_a_run_that_is_stopped_leaves_input_and_older_output(self, tmp_path, number, code):
        with (tmp_path / "in.csv").open("w") as file:
            file.write("text\n" + "key the invoices of a supplier into the ledger\n" * 400_000)
        before = (tmp_path / "in.csv").stat()
        (tmp_path / "out.csv").write_text("older")
        command = [sys.executable, "-m", "outsort", "score", "in.csv", "-o", "out.csv", "--force"]
        running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
        while running.poll() is None and not list(tmp_path.glob(".*.part")):
            time.sleep(0.01)
        running.send_signal(number)
        running.communicate()
        assert running.returncode == code
        assert (tmp_path / "out.csv").read_text() == "older"
        assert (tmp_path / "in.csv").stat().st_mtime_ns == before.st_mtime_ns
        if number != signal.SIGKILL:
            assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_any_labels_have_a_column_each_in_the_order_of_the_model():
    odd = random_model(5, with_out_of_scope=True, lines_per_label=1)
    texts = ["key invoices. Draft contract", "", "zzz"]
    scored = score(pd.DataFrame({"text": texts}), odd)
    names = [f"p_{label}" for label in odd.labels]
    assert list(scored.columns) == ["text", *added_columns(odd)]
    np.testing.assert_allclose(scored[names], odd.predict_proba(texts), atol=1e-5)
    assert scored["label"].tolist() == odd.predict(texts).tolist()
    assert scored["service_line"].isna().all()


def test_a_frame_without_rows_or_without_lines_has_the_types_of_any(model, two_class_model):
    frame = pd.DataFrame({"task": ["key invoices", "draft a contract"]})
    types = score(frame, model).dtypes
    assert score(frame.iloc[:0], model).dtypes.equals(types)
    assert score(frame, two_class_model).dtypes.equals(types.drop(["p_NEITHER", "share_NEITHER"]))
    assert types["probability"] == "float64"


class TestManyFiles:
    @pytest.fixture
    def parts(self, tmp_path):
        (tmp_path / "parts").mkdir()
        for name in "ab":
            (tmp_path / "parts" / f"{name}.csv").write_text(f"id,task\n{name},key invoices\n")
        return tmp_path / "parts"

    def test_a_pattern_goes_into_a_folder(self, outsort, parts, tmp_path):
        done = outsort("score", parts / "*.csv", "-o", f"{tmp_path}/out/", "--to", "jsonl")
        assert done.code == 0
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["_outsort-run.json", "a.jsonl", "b.jsonl"]

    def test_a_second_run_makes_what_is_missing(self, outsort, parts, tmp_path):
        run = ("score", parts / "*.csv", "-o", f"{tmp_path}/out/")
        outsort(*run)
        (tmp_path / "out" / "b.csv").unlink()
        first = (tmp_path / "out" / "a.csv").stat().st_mtime_ns
        assert "already holds the outputs of a run. Pass --resume" in outsort(*run).err
        done = outsort(*run, "--resume")
        assert done.code == 0
        assert done.err.endswith(f"\n{tmp_path}/out/b.csv: 1 row\n")
        assert done.err.count("\n") == 2
        assert (tmp_path / "out" / "a.csv").stat().st_mtime_ns == first

    def test_parts_of_another_model_are_not_mixed(self, outsort, parts, tmp_path, model):
        outsort("score", parts / "*.csv", "-o", f"{tmp_path}/out/")
        package.save_model(model, tmp_path / "m.joblib")
        done = outsort("score", parts / "*.csv", "-o", f"{tmp_path}/out/", "--resume", "-m", tmp_path / "m.joblib")
        assert done.code == 1
        assert "was started with another model. Start again in another folder." in done.err

    def test_a_pattern_without_files_and_names_twice(self, outsort, parts, tmp_path):
        assert "no file matches this pattern" in outsort("score", parts / "*.tsv", "-o", f"{tmp_path}/out/").err
        done = outsort("score", parts / "a.csv", parts / ".." / "parts" / "a.csv", "-o", f"{tmp_path}/out/")
        assert "another input is also written to 'a.csv'" in done.err

    def test_standard_input_and_output(self, outsort):
        done = outsort("score", "-", "-o", "-", "--to", "jsonl", stdin=b"id,task\n07,key invoices\n")
        assert json.loads(done.out)["id"] == "07"
