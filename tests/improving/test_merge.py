"""Merging: every verdict lands on its row, and what cannot be trusted is told."""

import codecs
import csv
import gzip
import json
import os
import random
import re
import shutil
import subprocess
import sys

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import cohen_kappa_score

from outsort import model_file
from outsort.data.dataset import read
from outsort.data.identity import key_of
from outsort.errors import DataError, OutputError
from outsort.improving.merge import merge
from outsort.improving.queue import Candidates, write_queue
from outsort.tables.base import ReadOptions

LINES = {"BPO": "data_entry", "KPO": "legal_services", "NEITHER": "cleaning"}


@pytest.fixture
def data(csv_file):
    """The small data set, to be merged into."""
    return csv_file


def queue(path, rows, columns=("key", "text", "label", "service_line", "reviewer")):
    """Write a CSV queue of (text, label, ...) rows with their right keys."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([key_of(text), text, *rest] + [""] * (len(columns) - 2 - len(rest)) for text, *rest in rows)
    return path


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_verdict_becomes_a_row_with_who_and_when(data, model, tmp_path):
    given = queue(tmp_path / "q.csv", [("fold leaflets", "bpo ", "data_entry", "Ann")])
    before = rows_of(data)
    result = merge([given], data, model)
    assert (result.added, result.problems) == (1, [])
    *others, last = rows_of(data)
    assert [{k: row[k] for k in before[0]} for row in others] == before
    assert (last["text"], last["label"], last["service_line"], last["reviewer"]) == (
        "fold leaflets", "BPO", "data_entry", "Ann",
    )  # fmt: skip
    assert last["decided_at"] > "2020"


def test_a_second_merge_changes_nothing(data, model, tmp_path):
    given = queue(tmp_path / "q.csv", [("fold leaflets", "BPO", "data_entry")])
    merge([given], data, model)
    once = data.read_bytes()
    result = merge([given], data, model)
    assert (result.added, result.known, data.read_bytes()) == (0, 1, once)


def test_merging_makes_a_file_that_training_takes(model, tmp_path):
    rows = [(f"{verb} {thing}", label) for label, verb in (("BPO", "type"), ("KPO", "argue")) for thing in "ab"]
    result = merge([queue(tmp_path / "q.csv", rows)], tmp_path / "new.csv", model)
    assert (result.added, len(result.lines_filled)) == (4, 4)
    dataset = read(tmp_path / "new.csv")
    assert dataset.labels == ["BPO", "BPO", "KPO", "KPO"]
    assert all(
        model.line_labels[list(model.lines).index(x)] == y for x, y in zip(dataset.lines, dataset.labels, strict=True)
    )


def test_service_lines_that_the_model_filled_in_are_told_with_their_rows(outsort, model, tmp_path):
    model_file.save(model, tmp_path / "m.joblib")
    own = tmp_path / "own.csv"
    rows = ["fold leaflets,,", "draft a deed,,legal_services", "mop floors,NEITHER,"]
    own.write_text("\n".join(["text,label,service_line", *rows]) + "\n", encoding="utf-8")
    asked = [
        ("fold leaflets", "BPO"),
        ("draft a deed", "KPO"),
        ("argue a case", "KPO"),
        ("type a list", "BPO", "data_entry"),
    ]
    given = queue(tmp_path / "q.csv", asked)
    done = outsort("merge", given, "--into", own, "-m", tmp_path / "m.joblib")
    lines = {row["text"]: row["service_line"] for row in rows_of(own)}
    # A row of the data without a label may have a line, which stays, and a person may have named one.
    assert lines["draft a deed"] == "legal_services"
    filled = f"{given}, row 2 ({lines['fold leaflets']}); {given}, row 4 ({lines['argue a case']})"
    assert f"{own}: 2 service lines left blank were filled in by the model: {filled}\n" in done.err
    many = queue(tmp_path / "many.csv", [(f"type list {i}", "BPO") for i in range(7)])
    done = outsort("merge", many, "--into", own, "-m", tmp_path / "m.joblib")
    assert re.search(r": 7 service lines .* row 6 \(\w+\) and 2 more\n", done.err)


def test_what_says_too_little_lands_without_a_service_line_and_teaches_that(data, model, tmp_path):
    given = queue(tmp_path / "q.csv", [("lot 3", "unclear"), ("as agreed", "UNCLEAR", "data_entry")])
    result = merge([given], data, model)
    assert (result.added, result.lines_filled, result.problems) == (2, [], [])
    assert [(row["label"], row["service_line"]) for row in rows_of(data)[-2:]] == [("UNCLEAR", "")] * 2
    assert list(read(data).unclear) == ["lot 3", "as agreed"]
    # Rows that name no work say nothing of the lines that others have, even if someone has filled one in.
    data.write_text(data.read_text() + "lot 9,UNCLEAR,data_entry,,\n")
    assert merge([queue(tmp_path / "r.csv", [("fold leaflets", "BPO", "data_entry")])], data, model).problems == []


def test_a_row_there_without_a_label_is_given_it(data, model, tmp_path):
    with data.open("a", encoding="utf-8") as file:
        file.write("fold leaflets,,\n")
    result = merge([queue(tmp_path / "q.csv", [("fold leaflets", "BPO", "data_entry")])], data, model)
    assert (result.added, result.filled) == (0, 1)
    assert rows_of(data)[-1]["label"] == "BPO"


@pytest.mark.parametrize("there", ["reviewer", "decided_at", "service_line", None])
def test_filling_a_label_in_leaves_what_the_row_says_already(model, tmp_path, there):
    given = {"reviewer": "Zoe", "decided_at": "2020-02-02", "service_line": "translation"}
    kept = {there: given[there]} if there else given
    data = tmp_path / "data.csv"
    row = {"text": "fold leaflets", "label": ""} | dict.fromkeys(given, "") | kept
    pd.DataFrame([row]).to_csv(data, index=False)
    verdict = {"reviewer": "Ann", "decided_at": "2026-11-26", "service_line": "data_entry"}
    cells = {"key": key_of("fold leaflets"), "text": "fold leaflets", "label": "BPO"} | verdict
    pd.DataFrame([cells]).to_csv(tmp_path / "q.csv", index=False)
    result = merge([tmp_path / "q.csv"], data, model)
    assert (result.filled, result.problems) == (1, [])
    assert rows_of(data) == [{"text": "fold leaflets", "label": "BPO"} | verdict | kept]


def test_undecided_rows_are_counted_and_left(data, model, tmp_path):
    before = data.read_bytes()
    result = merge([queue(tmp_path / "q.csv", [("fold leaflets", "")])], data, model)
    assert (result.undecided, result.problems, data.read_bytes()) == (1, [], before)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("fold leaflets", "BP0")], "'BP0' is not one of BPO, KPO, NEITHER, UNCLEAR"),
        ([("fold leaflets", "BPO"), ("Fold  leaflets", "KPO")], "is BPO, but KPO in"),
        ([("fold leaflets", "BPO", "data_entry"), ("fold leaflets", "BPO", "translation")], "but BPO translation"),
        ([("draft a contract", "BPO")], "is BPO here, but KPO in row"),
        ([("fold leaflets", "BPO", "legal_services")], "belongs to KPO"),
        ([("fold leaflets", "BPO", "origami")], "is unknown to the data and the model"),
    ],
)
def test_what_is_in_conflict_is_told_and_left_out(data, model, tmp_path, rows, told):
    before = data.read_bytes()
    result = merge([queue(tmp_path / "q.csv", rows)], data, model)
    assert told in result.problems[0]
    assert len(result.problems) == 1
    assert data.read_bytes() == before


@pytest.mark.parametrize(
    ("key", "told"),
    [("", "the key is missing"), (key_of("another"), "does not match the text"), ("12", "does not match")],
)
def test_a_key_that_was_tampered_with_is_told(data, model, tmp_path, key, told):
    path = tmp_path / "q.csv"
    path.write_text(f"key,text,label\n{key},fold leaflets,BPO\n", encoding="utf-8")
    result = merge([path], data, model)
    assert told in result.problems[0]
    assert result.added == 0


def test_an_edited_text_is_found_by_its_key_if_the_data_have_it(data, model, tmp_path):
    path = tmp_path / "q.csv"
    path.write_text(f"key,text,label\n{key_of('draft a contract')},shortened…,KPO\n", encoding="utf-8")
    assert merge([path], data, model).known == 1


def test_two_reviewers_who_agree_are_both_named(data, model, tmp_path):
    one = queue(tmp_path / "1.csv", [("fold leaflets", "BPO", "data_entry", "Ann")])
    two = queue(tmp_path / "2.csv", [("fold leaflets", "BPO", "", "Bo")])
    assert merge([one, two], data, model).added == 1
    assert rows_of(data)[-1]["reviewer"] == "Ann; Bo"


def test_a_file_that_another_program_changes_meanwhile_is_left_alone(data, model, tmp_path, monkeypatch):
    synced = os.fsync

    def late(handle):
        synced(handle)
        with data.open("a", encoding="utf-8") as file:
            file.write("another,BPO,data_entry\n")

    monkeypatch.setattr(os, "fsync", late)
    with pytest.raises(OutputError, match=r"tasks\.csv: another program changed it meanwhile"):
        merge([queue(tmp_path / "q.csv", [("fold leaflets", "BPO")])], data, model)
    assert rows_of(data)[-1]["text"] == "another"


MERGING = """
import sys
from pathlib import Path
from outsort import load_model
from outsort.improving.merge import merge
model = load_model(sys.argv[1])
for queue in sys.argv[3:]:
    assert merge([Path(queue)], Path(sys.argv[2]), model).added == 1
"""


@pytest.mark.slow
def test_of_a_hundred_merges_by_four_processes_all_land(data, model, tmp_path):
    model_file.save(model, tmp_path / "m.joblib")
    data.chmod(0o600)
    texts = [f"fold leaflets {i}" for i in range(100)]
    given = [queue(tmp_path / f"{i}.csv", [(text, "BPO", "data_entry")]) for i, text in enumerate(texts)]
    (tmp_path / "link.csv").symlink_to(data)
    command = [sys.executable, "-c", MERGING, tmp_path / "m.joblib"]
    # By its name and by a link: they are one file.
    into = [data, tmp_path / "link.csv"]
    running = [subprocess.Popen([*command, into[i % 2], *given[i::4]]) for i in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert sorted(row["text"] for row in rows_of(data)[-100:]) == sorted(texts)
    assert data.stat().st_mode & 0o777 == 0o600
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


#: As people and programs leave files: cells quoted for no reason, blank lines, line ends of three kinds.
ODD = (
    '"text",label,"note","reviewer",decided_at\r\n'
    '"draft a contract",KPO,"said ""yes""","Zoë",2020-02-02\r\n'
    "\r\n"
    'translate “quotes” ,"BPO",,,\n'
    '"key\r\ninvoices", bpo ,"a, b",,""\r'
    '"fold leaflets","","7","",""\r\n'
    "\n"
    '"wash windows","NEITHER","","",""'
)
KINDS = [
    ("csv", "utf-8", b""),
    ("csv", "utf-8", codecs.BOM_UTF8),
    ("csv", "utf-16-le", codecs.BOM_UTF16_LE),
    ("csv", "utf-16-be", codecs.BOM_UTF16_BE),
    ("csv", "utf-16-le", b""),
    ("csv", "cp1252", b""),
    ("csv.gz", "utf-16-be", codecs.BOM_UTF16_BE),
    ("csv.zst", "cp1252", b""),
    ("tsv", "utf-8", codecs.BOM_UTF8),
    ("tsv.gz", "utf-8", b""),
]


def packed(path, content):
    """Write a file, compressed as its name tells, by other libraries than the package uses."""
    tool = {".gz": gzip.compress, ".zst": lambda raw: pa.Codec("zstd").compress(raw, asbytes=True)}.get(path.suffix)
    path.write_bytes(tool(content) if tool else content)


def unpacked(path):
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    return pa.input_stream(path).read()


@pytest.mark.parametrize(("suffix", "encoding", "mark"), KINDS)
def test_an_added_row_is_all_that_changes_in_a_file(model, tmp_path, suffix, encoding, mark):
    text = ODD.replace(",", "\t") if "tsv" in suffix else ODD
    data, before = tmp_path / f"data.{suffix}", mark + text.encode(encoding)
    packed(data, before)
    verdict = {"key": key_of("naïve, text"), "text": "naïve, text", "label": "KPO", "decided_at": "2026-11-26"}
    pd.DataFrame([verdict]).to_csv(tmp_path / "q.csv", index=False)
    # Whether Zoë is one of cp1252 or Zoė of cp1257 cannot be told.
    named = encoding if encoding == "cp1252" else None
    assert merge([tmp_path / "q.csv"], data, model, reading=ReadOptions(encoding=named)).added == 1
    record = "naïve, text\tKPO\t\t\t2026-11-26" if "tsv" in suffix else '"naïve, text",KPO,,,2026-11-26'
    assert unpacked(data) == before + f"\r\n{record}\r\n".encode(encoding)


@pytest.mark.parametrize(("suffix", "encoding", "mark"), KINDS)
def test_a_filled_row_is_all_that_changes_in_a_file(model, tmp_path, suffix, encoding, mark):
    data, tab = tmp_path / f"data.{suffix}", "tsv" in suffix
    packed(data, mark + (ODD.replace(",", "\t") if tab else ODD).encode(encoding))
    verdict = {"key": key_of("fold leaflets"), "text": "fold leaflets", "label": "BPO", "decided_at": "2026-11-26"}
    pd.DataFrame([verdict]).to_csv(tmp_path / "q.csv", index=False)
    named = encoding if encoding == "cp1252" else None
    assert merge([tmp_path / "q.csv"], data, model, reviewer="Ann", reading=ReadOptions(encoding=named)).filled == 1
    expected = ODD.replace('"fold leaflets","","7","",""', "fold leaflets,BPO,7,Ann,2026-11-26")
    assert unpacked(data) == mark + (expected.replace(",", "\t") if tab else expected).encode(encoding)


def test_new_columns_leave_the_cells_before_them_as_they_are(model, tmp_path):
    data = tmp_path / "data.csv"
    data.write_bytes(b'"text","label"\r\n"draft a contract","KPO"\n\n"key\ninvoices",BPO\r"wash windows",NEITHER')
    verdict = {"key": key_of("fold leaflets"), "text": "fold leaflets", "label": "BPO", "decided_at": "2026-11-26"}
    pd.DataFrame([verdict]).to_csv(tmp_path / "q.csv", index=False)
    merge([tmp_path / "q.csv"], data, model, reviewer="Ann")
    assert data.read_bytes() == (
        b'"text","label",reviewer,decided_at\r\n"draft a contract","KPO",,\n\n"key\ninvoices",BPO,,\r'
        b'"wash windows",NEITHER,,\r\nfold leaflets,BPO,Ann,2026-11-26\r\n'
    )


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst"])
def test_lines_of_json_that_no_verdict_is_about_stay_as_they_are(model, tmp_path, suffix):
    data = tmp_path / f"data.{suffix}"
    lines = [
        b'\xef\xbb\xbf{"label" :"KPO",  "text":"draft a \\u0063ontract", "n": 1.50}\r\n',
        b"\n",
        b'  { "text":"fold leaflets","n":12345678901234567890.10,"more":{"label":null} , "label":null }\r\n',
        b'{"text":"wash windows","label":"NEITHER"}',
    ]
    packed(data, b"".join(lines))
    rows = [("fold leaflets", "BPO", "", "Ann"), ("naïve text", "KPO", "", "Bo")]
    result = merge([queue(tmp_path / "q.csv", rows)], data, model)
    assert (result.added, result.filled) == (1, 1)
    first, blank, filled, kept, added = unpacked(data).splitlines(keepends=True)
    today = re.search(rb"\d{4}-\d\d-\d\d", added)[0]
    assert [first, blank, kept] == [*lines[:2], lines[3] + b"\r\n"]
    assert filled == (
        b'  { "text":"fold leaflets","n":12345678901234567890.10,"more":{"label":null} , "label":"BPO", '
        b'"reviewer": "Ann", "decided_at": "' + today + b'" }\r\n'
    )
    assert json.loads(added) == {
        "text": "naïve text", "label": "KPO", "reviewer": "Bo", "decided_at": today.decode(),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["fold\rleaflets", "fold\r", '"fold"\r\nleaflets\r'])
def test_a_lone_carriage_return_comes_back(data, model, tmp_path, text):
    # Written without quotes it would end the record, and the file could not be read again.
    (tmp_path / "q.jsonl").write_text(json.dumps({"key": key_of(text), "text": text, "label": "BPO"}))
    for into in (data, tmp_path / "new.csv"):
        assert merge([tmp_path / "q.jsonl"], into, model).added == 1
        assert rows_of(into)[-1]["text"] == pd.read_csv(into)["text"].iloc[-1] == text
    assert read(data).texts[-1] == text


def test_semicolons_line_ends_and_marks_of_the_data_stay(model, tmp_path):
    data = tmp_path / "data.csv"
    data.write_bytes("﻿text;label\r\ndraft a contract;KPO\r\n".encode())
    merge([queue(tmp_path / "q.csv", [("fold, leaflets", "BPO")])], data, model)
    lines = data.read_bytes().decode("utf-8").split("\r\n")
    assert lines[0] == "﻿text;label;reviewer;decided_at"
    assert lines[1:2] == ["draft a contract;KPO;;"]
    assert lines[2].startswith("fold, leaflets;BPO;;2")


@pytest.mark.filterwarnings("ignore:.*read as cp1252")
@pytest.mark.parametrize(
    ("text", "encoding"), [("façade for €5", "cp1252"), ("договор 翻訳", "utf-8-sig"), ("500 Kč", "utf-8-sig")]
)
def test_a_cp1252_file_turns_to_utf_8_for_letters_it_has_no_place_for(model, tmp_path, text, encoding):
    data = tmp_path / "data.csv"
    before = [{"text": "Übersetzung für “Café”", "label": "BPO"}, {"text": "draft a contract", "label": "KPO"}]
    pd.DataFrame(before).to_csv(data, index=False, encoding="cp1252")
    assert merge([queue(tmp_path / "q.csv", [(text, "KPO")])], data, model).added == 1
    # The oracle: pandas, told the one encoding that holds all of it.
    found = pd.read_csv(data, encoding=encoding)[["text", "label"]].to_dict("records")
    assert found == [*before, {"text": text, "label": "KPO"}]
    assert data.read_bytes().startswith(codecs.BOM_UTF8) == (encoding == "utf-8-sig")


def test_a_file_that_is_no_queue_is_refused(data, model):
    with pytest.raises(DataError, match="no column 'key'"):
        merge([data], data, model)


def test_columns_of_other_names_are_named(outsort, model, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("work,kind\ndraft a contract,KPO\n", encoding="utf-8")
    model_file.save(model, tmp_path / "m.joblib")
    given = queue(tmp_path / "q.csv", [("fold leaflets", "BPO")])
    columns = ("--text-column", "work", "--label-column", "kind")
    done = outsort("merge", given, "--into", data, "-m", tmp_path / "m.joblib", *columns)
    assert (done.code, rows_of(data)[-1]["work"], rows_of(data)[-1]["kind"]) == (0, "fold leaflets", "BPO")


def test_corrections_of_the_page_are_taken(client, data, model, tmp_path):
    (answer,) = client.post("/predict", json={"texts": ["fold\r\nleaflets"]}).json()["answers"]
    path = tmp_path / "corrections.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["key", "text", "model_label", "label", "service_line", "reviewer", "decided_at"])
        writer.writerow([answer["key"], answer["text"], answer["label"], "BPO", "", "Ann", "2026-11-26T07:00:00Z"])
    result = merge([path], data, model)
    assert (result.added, result.problems) == (1, [])
    assert rows_of(data)[-1]["decided_at"] == "2026-11-26T07:00:00Z"


WILD = [
    "=1+1 {}",
    "'quoted {}",
    "007 {}",
    "1e5 {}",
    "two\nlines {}",
    "“smart” – {}",
    "日本語 {}",
    "😅 {}",
    " spaced  {} ",
]


@pytest.fixture
def verdicts():
    """Texts of every kind with a label each, by text."""
    rng = random.Random(0)
    return {WILD[i % len(WILD)].format(i): rng.choice(list(LINES)) for i in range(200)}


@pytest.fixture
def queued(model, verdicts, tmp_path):
    """A workbook of those texts and twenty others, as `outsort review` writes it."""
    texts = [*verdicts, *(f"left alone {i}" for i in range(20))]
    n = len(texts)
    path = tmp_path / "queue.xlsx"
    write_queue(path, model, Candidates(texts, np.ones(n, np.int64), np.ones(n), 0), np.arange(n), force=False)
    return path


def work_through(path, verdicts):
    """Label a workbook's rows as a person does: sort and filter, delete rows, put columns between."""
    book = openpyxl.load_workbook(path)
    sheet = book["review"]
    names, *rows = sheet.iter_rows(values_only=True)
    text = names.index("text")
    rows = [row for row in rows if row[text] in verdicts]
    sheet.delete_rows(2, sheet.max_row)
    for number, row in enumerate(sorted(rows, key=lambda row: row[text][::-1]), 2):
        cells = dict(zip(names, row, strict=True))
        cells["label"] = verdicts[cells["text"]]
        cells["service_line"] = LINES[cells["label"]]
        for place, name in enumerate(names, 1):
            cell = sheet.cell(number, place, cells[name])
            cell.data_type = "s" if isinstance(cells[name], str) else cell.data_type
        sheet.row_dimensions[number].hidden = cells["label"] != "KPO"
    sheet.auto_filter.add_filter_column(names.index("label"), ["KPO"])
    for place in (1, 2, 4):
        sheet.insert_cols(place)
        sheet.cell(1, place, f"notes {place}")
    book.save(path)


def landed(path, verdicts):
    return {row["text"]: row["label"] for row in rows_of(path)} == verdicts


@pytest.mark.slow
def test_many_verdicts_land_through_a_workbook_worked_through(queued, model, tmp_path, verdicts):
    work_through(queued, verdicts)
    result = merge([queued], tmp_path / "data.csv", model)
    assert (result.added, result.problems) == (200, [])
    assert landed(tmp_path / "data.csv", verdicts)


#: What LibreOffice is asked for: its name of the filter, with semicolons and UTF-8 for CSV.
SAVED_AS = {"xlsx": "xlsx:Calc MS Excel 2007 XML", "csv": "csv:Text - txt - csv (StarCalc):59,34,76"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SAVED_AS)
def test_many_verdicts_land_through_libreoffice(office, queued, model, tmp_path, verdicts, kind):
    # As it came, opened and saved; then worked through, and saved once more.
    path = office(queued, SAVED_AS["xlsx"], tmp_path / "once")
    work_through(path, verdicts)
    path = office(path, SAVED_AS[kind], tmp_path / "twice")
    result = merge([path], tmp_path / "data.csv", model)
    assert (result.added, result.problems) == (200, [])
    assert landed(tmp_path / "data.csv", verdicts)


#: A macro that fills in cells of the first sheet and saves the workbook.
FILL = """Sub Fill(source As String, target As String, cells As String)
  Dim hidden(0) As New com.sun.star.beans.PropertyValue
  hidden(0).Name = "Hidden" : hidden(0).Value = True
  book = StarDesktop.loadComponentFromURL(source, "_blank", 0, hidden())
  For Each entry In Split(cells, ";")
    parts = Split(entry, "=")
    book.Sheets.getByIndex(0).getCellRangeByName(parts(0)).setString(parts(1))
  Next
  Dim how(0) As New com.sun.star.beans.PropertyValue
  how(0).Name = "FilterName" : how(0).Value = "Calc MS Excel 2007 XML"
  book.storeToURL(target, how())
  book.close(True)
End Sub"""
MODULE = """<?xml version="1.0" encoding="UTF-8"?>
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Tests" script:language="StarBasic">
{}
</script:module>"""
LIBRARY = """<?xml version="1.0" encoding="UTF-8"?>
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false">
<library:element library:name="Tests"/></library:library>"""


@pytest.fixture
def fill(office, tmp_path):
    """LibreOffice fills in cells of a workbook: ``fill(path, {"B2": "BPO"})``."""

    def filled(path, cells):
        # Opened once, it has a profile, which can be given the macro.
        opened = office(path, "xlsx", tmp_path / "opened")
        basic = tmp_path / "profile" / "user" / "basic" / "Standard"
        (basic / "Tests.xba").write_text(MODULE.format(FILL))
        (basic / "script.xlb").write_text(LIBRARY)
        target = tmp_path / "filled.xlsx"
        given = ";".join(f"{place}={value}" for place, value in cells.items())
        macro = f'macro:///Standard.Tests.Fill("{opened.as_uri()}","{target.as_uri()}","{given}")'
        program = shutil.which("soffice") or shutil.which("libreoffice")
        profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
        subprocess.run([program, profile, "--headless", macro], check=True, capture_output=True, timeout=120)
        return target

    return filled


@pytest.mark.slow
def test_a_sheet_filled_in_by_libreoffice_counts_offers_the_lines_of_a_label_and_is_merged(fill, model, tmp_path):
    texts = ["stamp the letters", "argue an appeal", "polish the floor", "office"]
    path = tmp_path / "queue.xlsx"
    write_queue(path, model, Candidates(texts, np.ones(4, np.int64), np.ones(4), 0), np.arange(4), force=False)
    book = openpyxl.load_workbook(path)
    sheet = book["review"]
    (offered,) = [rule.formula1 for rule in sheet.data_validations.dataValidation if str(rule.sqref) == "C2:C5"]
    for row in range(2, 6):
        own = offered.replace("$B2", f"$B{row}")
        sheet[f"T{row}"], sheet[f"U{row}"] = f"=ROWS({own})", f"=INDEX({own},1,1)"
    book.save(path)
    labels = ["BPO", "KPO", "NEITHER"]
    cells = {f"B{row}": label for row, label in enumerate(labels, 2)}
    path = fill(path, cells | {"C3": "legal_services", "M2": "Ann"})
    sheet = openpyxl.load_workbook(path, data_only=True)["review"]
    assert sheet["D1"].value == "3 of 4 done"
    lines = sorted(zip(model.line_labels, model.lines, strict=True))
    for row, label in enumerate([*labels, None], 2):
        of_label = [line for of, line in lines if label in (of, None)]
        assert [sheet[f"T{row}"].value, sheet[f"U{row}"].value] == [len(of_label), of_label[0]]
    result = merge([path], tmp_path / "data.csv", model)
    assert (result.added, result.undecided, len(result.lines_filled), result.problems) == (3, 1, 2, [])
    merged = {row["text"]: (row["label"], row["reviewer"]) for row in rows_of(tmp_path / "data.csv")}
    assert merged == {texts[0]: ("BPO", "Ann"), texts[1]: ("KPO", ""), texts[2]: ("NEITHER", "")}
    assert rows_of(tmp_path / "data.csv")[1]["service_line"] == "legal_services"


def test_many_verdicts_land_through_csv_with_semicolons(model, tmp_path, verdicts):
    path = tmp_path / "queue.csv"
    frame = pd.DataFrame({"text": list(verdicts), "label": list(verdicts.values())})
    frame.insert(0, "key", frame["text"].map(key_of))
    frame.sample(frac=1, random_state=1).to_csv(path, index=False, sep=";", encoding="utf-16")
    result = merge([path], tmp_path / "data.csv", model)
    assert (result.added, result.problems) == (200, [])
    assert landed(tmp_path / "data.csv", verdicts)


def test_the_command_tells_and_exits(outsort, data, model, tmp_path):
    model_file.save(model, tmp_path / "m.joblib")
    given = queue(tmp_path / "q.csv", [("fold leaflets", "BPO"), ("draft a contract", "BPO")])
    done = outsort("merge", given, "--into", data, "-m", tmp_path / "m.joblib", "--reviewer", "Ann")
    assert done.code == 3
    assert "1 row added, 0 labels filled in, 0 already there; 0 without a label" in done.out
    assert "is BPO here, but KPO in row" in done.err
    assert done.err.endswith("outsort: 1 label not merged\n")
    assert rows_of(data)[-1]["reviewer"] == "Ann"
    # A mistyped name is no other table.
    new = tmp_path / "dtaa.csv"
    done = outsort("merge", given, "--into", new, "-m", tmp_path / "m.joblib")
    assert done.out.startswith(f"{new} (new file): 2 rows added, ")
    assert f"{new}: 0 rows added" in outsort("merge", given, "--into", new, "-m", tmp_path / "m.joblib").out


DOUBLE = {
    "fold leaflets": ("BPO", "data_entry", "BPO", "data_entry"),
    "bind reports": ("BPO", "data_entry", "KPO", "legal_services"),
    "advise on leases": ("KPO", "legal_services", "KPO", "data_science"),
    "sweep the yard": ("NEITHER", "cleaning", "NEITHER", ""),
}


@pytest.mark.parametrize("is_one_file", [False, True])
def test_two_reviewers_of_the_same_texts_agree_so_far(data, model, tmp_path, is_one_file):
    mine = [(text, *cells[:2], "Ann") for text, cells in DOUBLE.items()] + [("wash cars", "NEITHER", "cleaning", "Ann")]
    its = [(text, *cells[2:], "Ben") for text, cells in DOUBLE.items()] + [("post ads", "BPO", "", "Ben")]
    if is_one_file:
        queues = [queue(tmp_path / "q.csv", [*mine, *its])]
    else:
        # Without names, each file is a reviewer's.
        parts = ([row[:3] for row in mine], [row[:3] for row in its])
        queues = [queue(tmp_path / f"q-{i}.csv", rows) for i, rows in enumerate(parts, 1)]
    result = merge(queues, data, model)
    labels, lines = result.labels, result.lines
    assert (labels.n, labels.agreed, labels.most) == (4, 3, 0.875)
    assert labels.kappa == pytest.approx(
        cohen_kappa_score([of[0] for of in DOUBLE.values()], [of[2] for of in DOUBLE.values()])
    )
    assert (lines.n, lines.agreed) == (3, 1)
    # Where they differ nothing is merged.
    assert (result.added, len(result.problems)) == (4, 2)


def test_one_reviewer_twice_and_different_texts_are_no_agreement(data, model, tmp_path):
    rows = [("fold leaflets", "BPO", "data_entry", "Ann")]
    queues = [
        queue(tmp_path / "q.csv", rows),
        queue(tmp_path / "r.csv", rows),
        queue(tmp_path / "s.csv", [("mow", "")]),
    ]
    result = merge(queues, data, model)
    assert (result.added, result.labels, result.lines) == (1, None, None)


def test_the_command_says_how_far_two_agree(outsort, data, model, tmp_path):
    model_file.save(model, tmp_path / "m.joblib")
    queues = [
        queue(tmp_path / f"{i}.csv", [(text, cells[2 * i], cells[2 * i + 1]) for text, cells in DOUBLE.items()])
        for i in (0, 1)
    ]
    done = outsort("merge", *queues, "--into", data, "-m", tmp_path / "m.joblib")
    assert done.code == 3
    _, *told = [" ".join(line.split()) for line in done.out.splitlines() if line.strip()]
    assert told[0] == (
        "Two reviewers agree on the label of 3 of 4 texts (75.0%); kappa 0.636 (95% interval 0.054 to 1.000)."
    )
    assert told[1].startswith(
        "So labels of one reviewer are on average right in 87.5% of texts at best (95% interval 65.0–97.7%), and no"
    )
    assert [line.rpartition(".")[0] for line in told if line.startswith(("BPO", "KPO", "NEITHER"))] == [
        "BPO 2 1 1 0.500 -0.235 to 1",
        "KPO 1 2 1 0.500 -0.235 to 1",
        "NEITHER 1 1 1 1.000 1.000 to 1",
    ]
    (lines,) = [line for line in told if line.startswith("They agree")]
    assert lines.startswith("They agree on the service line of 1 of 3 texts (33.3%) where both chose one; kappa ")
    assert "cleaning" not in done.out


@pytest.fixture
def own(tickets, tmp_path):
    """Labelled data of labels of the user's own, spelled otherwise than the model spells them."""
    path = tmp_path / "tickets.csv"
    tickets.assign(label=tickets["label"].str.upper()).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_labels_of_ones_own_land_as_the_data_spell_them(own, ticket_model, tmp_path):
    given = queue(tmp_path / "q.csv", [("pay me back", "refund"), ("no wifi again", "Software"), ("hello", "OTHER")])
    result = merge([given], own, ticket_model)
    assert result.added == 2
    assert [row["label"] for row in rows_of(own)[-2:]] == ["REFUND", "SOFTWARE"]
    (problem,) = result.problems
    known = "ACCESS, BILLING, CANCELLATION, DELIVERY, FEATURE REQUEST, HARDWARE, REFUND, SOFTWARE"
    assert f"row 4: 'OTHER' is not one of {known}" in problem


def test_a_label_that_only_the_model_knows_lands_as_the_model_spells_it(ticket_model, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("text,label\nno wifi,network\npay me,billing\n", encoding="utf-8")
    merge([queue(tmp_path / "q.csv", [("toner is empty", "HARDWARE")])], data, ticket_model)
    assert rows_of(data)[-1]["label"] == "hardware"


def test_a_label_that_only_the_data_know_lands(ticket_model, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("text,label\nno wifi,Network\nfold a crane,Origami\n", encoding="utf-8")
    assert merge([queue(tmp_path / "q.csv", [("fold a boat", "origami")])], data, ticket_model).problems == []
    assert rows_of(data)[-1]["label"] == "Origami"


@pytest.mark.parametrize("line", ["data_entry", ""])
def test_a_service_line_of_the_model_fits_a_label_spelled_in_another_case(model, tmp_path, line):
    data = tmp_path / "data.csv"
    data.write_text("text,label,service_line\nwrite a poem,kpo,poetry\nfile letters,bpo,filing\n", encoding="utf-8")
    result = merge([queue(tmp_path / "q.csv", [("key invoices and forms", "BPO", line)])], data, model)
    assert result.problems == []
    assert {name: rows_of(data)[-1][name] for name in ("label", "service_line")} == {
        "label": "bpo",
        "service_line": "data_entry",
    }


def test_a_verdict_that_contradicts_the_service_line_of_its_row_is_a_problem(data, model, tmp_path):
    # The merged file would hold a line under two labels, which training refuses.
    with data.open("a", encoding="utf-8") as file:
        file.write("fold leaflets,,legal_services\n")
    before = data.read_bytes()
    result = merge([queue(tmp_path / "q.csv", [("fold leaflets", "BPO")])], data, model)
    assert "has service line 'legal_services' of KPO" in result.problems[0]
    assert data.read_bytes() == before


def test_own_words_in_queue_and_data_are_merged_as_the_labels_they_mean(model, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("text,label\nfold leaflets,Clerical\nargue a case,\n")
    rows = [("fold leaflets", "BPO"), ("argue a case", "expert"), ("key forms", "clerical"), ("mop", "Odd")]
    result = merge([queue(tmp_path / "q.csv", rows)], data, model, label_map="clerical=BPO,Expert=KPO")
    assert (result.known, result.filled, result.added) == (1, 1, 1)
    assert [row["label"] for row in rows_of(data)] == ["Clerical", "KPO", "BPO"]
    (problem,) = result.problems
    assert problem.endswith("""--label-map "Odd=LABEL", with BPO or KPO or NEITHER or UNCLEAR for each LABEL.""")


def test_texts_are_not_added_to_two_columns(data, model, tmp_path):
    with pytest.raises(DataError, match="texts cannot be added to several columns"):
        merge([queue(tmp_path / "q.csv", [("fold leaflets", "BPO")])], data, model, text_column="text|label")
