"""The service: answers, errors, limits and overload."""

import csv
import gzip
import io
import json
import logging
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import get_args

import httpx
import pytest
from fastapi import HTTPException

import documents
import outsort
from outsort import model_file, taxonomy
from outsort.data.identity import key_of
from outsort.encodings import GUESSED, USUAL
from outsort.prediction import default_model, explanation_record, record
from outsort.reporting import document
from outsort.scoring import files, scorer
from outsort.scoring.documents import DocumentsTally
from outsort.scoring.summary import SummaryTally
from outsort.service import app, schemas, server, workers
from outsort.service.guard import HEADERS, described
from outsort.service.jobs import Job
from outsort.service.protocol import Protocol
from outsort.service.schemas import MAX_CHARACTERS, MAX_TEXTS
from outsort.service.settings import ServiceSettings
from outsort.tables.formats import WRITTEN
from serving import PATIENCE, serving
from workbooks import wide_rows, workbook

CONFIG = Path(__file__).with_name("schemathesis.toml")
TEXTS = ["Draft a contract", "key invoices, façade 👷 ﬁles", "", "=HYPERLINK(1)", "<script>alert(1)</script>"]


def ask(client, texts, **more):
    return client.post("/predict", json={"texts": texts, **more})


def assert_problem(response, status, words):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert (content["status"], content["type"]) == (status, "about:blank")
    assert words in content["detail"]


# --- answers -----------------------------------------------------------------------------------------


def test_texts_are_answered_as_from_python(client, model):
    response = ask(client, TEXTS)
    assert response.json() == {
        "model": model.fingerprint,
        "answers": [{"key": key_of(p.text)} | record(p) for p in outsort.predict(TEXTS, model)],
    }


def test_an_explained_answer_is_that_of_explain(client, model):
    (answer,) = ask(client, [TEXTS[1]], explain=True).json()["answers"]
    expected = explanation_record(outsort.predict(TEXTS[1], model), outsort.explain(model, TEXTS[1]), [], n_lines=10)
    del expected["precedents"]
    assert answer == {"key": key_of(TEXTS[1])} | expected


def test_no_texts_no_answers(client):
    assert ask(client, []).json()["answers"] == []


def test_the_model_is_described(client, model):
    about = client.get("/model").json()
    assert about["model"] == model.fingerprint
    assert about["service_lines"] == {
        "BPO": ["data_entry", "translation"],
        "KPO": ["data_science", "legal_services"],
        "NEITHER": ["cleaning"],
    }
    assert (about["labels"], about["out_of_scope"]) == (["BPO", "KPO", "NEITHER"], "NEITHER")
    assert about["limits"]["texts"] == MAX_TEXTS


def test_a_model_without_lines_and_neither_is_served(two_class_model):
    with serving(two_class_model) as client:
        about = client.get("/model").json()
        assert (about["labels"], about["out_of_scope"]) == (["BPO", "KPO"], "")
        assert about["service_lines"] == {"BPO": [], "KPO": []}
        (answer,) = ask(client, ["draft a contract"]).json()["answers"]
        assert (list(answer["probabilities"]), answer["service_line"]) == (["BPO", "KPO"], None)
        assert_problem(corrected(client, '[{"rows": [0], "label": "NEITHER"}]'), 422, "the model, 'BPO', 'KPO'.")


@pytest.mark.slow
def test_a_model_of_any_labels_is_served(ticket_model, new_tickets):
    labels, texts = sorted(set(new_tickets["label"])), new_tickets["text"].tolist()
    proba = ticket_model.predict_proba(texts)
    with serving(ticket_model) as client:
        about = client.get("/model").json()
        assert (about["labels"], about["out_of_scope"]) == (labels, "")
        assert about["service_lines"] == {label: [] for label in labels}
        assert about["data"]["rows"] == 540
        answers = ask(client, texts, explain=True).json()["answers"]
        assert [answer["label"] for answer in answers] == ticket_model.predict(texts).tolist()
        for answer, row in zip(answers, proba, strict=True):
            assert list(answer["probabilities"]) == labels
            assert list(answer["probabilities"].values()) == pytest.approx(row, abs=1e-6)
            words = sum(word["log_odds"] for word in answer["words"])
            total = words + answer["bias"] + answer["spread"]
            assert total == pytest.approx(answer["log_odds"], abs=0.01)
        rows = list(csv.DictReader(io.StringIO(corrected(client, '[{"rows": [1], "label": "feature request"}]').text)))
        assert [row["label"] for row in rows] == [rows[0]["label"], "feature request"]
        assert [name for name in rows[0] if name.startswith("p_")] == [f"p_{label}" for label in labels]


# --- files -------------------------------------------------------------------------------------------


@pytest.fixture
def table(model, tmp_path):
    """The texts as a table with leading zeros, in a format."""

    def write(name):
        source = tmp_path / "source.jsonl"
        lines = (json.dumps({"id": f"{i:03}", "text": text}) for i, text in enumerate(TEXTS))
        source.write_text("\n".join(lines), encoding="utf-8")
        made = tmp_path / name
        files.score_file(source, made, model, options=files.Options(prefix="old_"))
        return made

    return write


NAMES = ["t.csv", "t.tsv", "t.jsonl", "t.parquet", "t.xlsx", "t.csv.gz", "t.jsonl.zst"]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("as_form", [False, True])
@pytest.mark.filterwarnings("ignore:.*sheet 'summary' of a run before")
def test_a_file_comes_back_as_score_makes_it(client, model, table, tmp_path, name, as_form):
    path = table(name)
    if as_form:
        response = client.post("/score", files={"file": (name, path.read_bytes())})
    else:
        response = client.post("/score", params={"filename": name}, content=path.read_bytes())
    assert response.status_code == 200, response.text
    expected = tmp_path / f"expected-{name}"
    files.score_file(path, expected, model)
    ours, theirs = response.content, expected.read_bytes()
    if name.endswith("xlsx"):  # a workbook holds when it was made
        ours, theirs = (zipfile.ZipFile(io.BytesIO(b)).read("xl/worksheets/sheet1.xml") for b in (ours, theirs))
    assert ours == theirs
    stem, _, end = name.partition(".")
    assert response.headers["content-disposition"] == f"attachment; filename*=utf-8''{stem}-scored.{end}"
    assert json.loads(response.headers["outsort-table"]) == {
        "columns": ["id", "text", *(f"old_{name}" for name in scorer.added_columns(model))],
        "text_columns": [["text"]],
        "prefix": "",
        "notes": [f"{name}: the sheet 'summary' of a run before is replaced"] if name.endswith("xlsx") else [],
    }


@pytest.mark.parametrize(
    ("charset", "encoding"), [("windows-1251", "cp1251"), ("Shift_JIS", "shift_jis"), ('"UTF-16"', "utf-16")]
)
@pytest.mark.parametrize("as_form", [False, True])
def test_the_charset_of_a_file_is_honoured(client, charset, encoding, as_form):
    # Too little to tell the encoding from.
    content = "id;text;ü\n1;data entry;х\n" if encoding == "cp1251" else "id;text\n1;data entry 番\n"
    content, kind = content.replace("ü", "ы").encode(encoding), f"text/csv; charset={charset}"
    if as_form:
        response = client.post("/score", files={"file": ("t.csv", content, kind)})
    else:
        response = client.post("/score", params={"filename": "t.csv"}, content=content, headers={"content-type": kind})
    assert response.status_code == 200, response.text
    assert response.content.decode("utf-8-sig").startswith(content.decode(encoding).split("\n")[0])
    assert json.loads(response.headers["outsort-table"])["notes"] == []


def test_the_encoding_of_a_request_goes_before_its_charset(client):
    content, kind = "text\nBüro putzen\n".encode("cp1252"), {"content-type": "text/csv; charset=utf-8"}
    response = client.post("/score", params={"filename": "t.csv", "encoding": "cp1252"}, content=content, headers=kind)
    assert "Büro putzen" in response.content.decode("utf-8-sig")
    assert_problem(client.post("/score", params={"filename": "t.csv"}, content=content, headers=kind), 422, "row 2")


def test_a_guess_is_told_in_the_words_of_the_service(client):
    content = "text\nÜbersetzung für Behörden\n".encode("cp1252")
    response = client.post("/score", params={"filename": "t.csv"}, content=content)
    (note,) = json.loads(response.headers["outsort-table"])["notes"]
    assert note.startswith("read as cp1252, because it is not UTF-8. If letters look wrong, name its encoding, such as")


def test_each_encoding_that_is_proposed_is_accepted():
    assert set(GUESSED) | set(USUAL) <= set(get_args(schemas.Encoding))


def test_a_delimiter_can_be_named(client):
    response = client.post("/score", params={"filename": "t.csv", "delimiter": "~"}, content=b"id~text\n1~data entry\n")
    assert response.text.startswith("id~text~label~")
    response = client.post("/score", params={"filename": "t.csv", "delimiter": "tab"}, content=b"a, b\ttext\n1\tdata\n")
    assert response.text.startswith("a, b\ttext\tlabel")


def test_one_table_in_an_archive_is_scored(client):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("tasks.csv", "text\ndata entry\n")
    for options in (
        {"params": {"filename": "t.zip"}},
        {"headers": {"content-type": "application/zip"}},
        {"params": {"filename": "t.csv"}},
    ):
        response = client.post("/score", content=out.getvalue(), **options)
        assert response.status_code == 200, response.text
        assert response.text.startswith("text,label,")
        assert response.headers["content-type"].startswith("text/csv")
        assert response.headers["content-disposition"].endswith(".csv")
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("more.csv", "text\ndata entry\n")
    response = client.post("/score", params={"filename": "t.zip"}, content=out.getvalue())
    assert_problem(response, 422, "t.zip: holds 2 tables: 'tasks.csv', 'more.csv'.")


@pytest.mark.slow
def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(model):
    bombs = {
        "t.zip": zipped("tasks.csv", b"text\n" + b"data entry\n" * 10_000),
        "t.xlsx": zipped("xl/worksheets/sheet1.xml", bytes(2 << 20)),
        "t.csv": gzip.compress(b"text\n" * 20_000),
        "t.csv.gz": gzip.compress(b"text\n" + b"a" * (2 << 20)),
    }
    with serving(model, ServiceSettings(workers=1, max_unpacked=50_000)) as client:
        for name, content in bombs.items():
            response = client.post("/score", params={"filename": name}, content=content)
            assert_problem(response, 413, "The file unpacks to more than 50,000 bytes")


def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xls", b"<html><table>", "t.xls: is a web page (HTML), not a table. Save its table as"),
        ("t.csv", b"%PDF-1.7\n", "t.csv: is a PDF document, not a table."),
        ("t.json", b'[{"a": 1}', "t.json: is not valid JSON after 9 characters"),
    ],
)
def test_a_file_that_is_no_table_is_named_for_what_it_is(client, name, content, words):
    assert_problem(client.post("/score", params={"filename": name}, content=content), 422, words)


@pytest.mark.slow
def test_a_document_is_split_and_shown_as_on_the_command_line(client, model, tmp_path):
    path = tmp_path / "Scope (2).docx"
    path.write_bytes(documents.docx_of(documents.scope(1)))
    tally = SummaryTally(model, documents=DocumentsTally(model))
    options = files.Options(split=True)
    files.score_file(path, tmp_path / "o.csv", model, options=options, summary=tally, tell=lambda _: None)
    asked = {"filename": path.name, "split": True}
    response = client.post("/score", params=asked | {"to": "csv"}, content=path.read_bytes())
    assert response.content == (tmp_path / "o.csv").read_bytes()
    assert response.headers["content-disposition"].endswith("Scope%20%282%29-scored.csv")
    response = client.post("/score", params=asked | {"report": True}, content=path.read_bytes())
    assert response.text == document.render(tally.documents.result(), model)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("name", "content", "split", "status", "words"),
    [
        ("t.txt", b"Key invoices.", False, 422, "report: shows a document clause by clause. Pass split=true."),
        ("t.csv", b"text\nKey invoices.\n", True, 415, "t.csv: is a table, and a report shows documents."),
        ("t.pdf", b"%PDF-1.7\n", True, 422, "t.pdf: "),
        ("t.txt", b" ", True, 422, "t.txt: has no text."),
    ],
)
def test_a_report_that_cannot_be_made_says_why(client, name, content, split, status, words):
    asked = {"filename": name, "split": split, "report": True}
    assert_problem(client.post("/score", params=asked, content=content), status, words)


def test_json_comes_back_as_json_and_a_text_may_be_within_objects(client):
    content = json.dumps([{"id": 1, "tender": {"description": "data entry"}}]).encode()
    options = {"text_column": "tender.description"}
    response = client.post("/score", params=options, content=content, headers={"content-type": "application/json"})
    assert response.headers["content-type"] == "application/json"
    (row,) = response.json()
    assert (row["id"], row["tender"], row["reason"]) == (1, {"description": "data entry"}, row["reason"])
    assert row["label"] in ("BPO", "KPO", "NEITHER")


def test_the_media_type_gives_the_format_of_a_file_without_a_name(client):
    response = client.post("/score", content=b"text\nkey invoices\n", headers={"content-type": "text/csv"})
    assert response.text.splitlines()[1].startswith("key invoices,BPO,")
    assert response.headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("style", WRITTEN)
def test_a_file_is_turned_into_the_format_asked_for(client, style):
    query = {"filename": "t.csv.gz", "to": style}
    response = client.post("/score", params=query, content=gzip.compress(b"text\ndata entry\n"))
    assert response.headers["content-type"].startswith(WRITTEN[style].media_types[0])
    assert response.headers["content-disposition"].endswith(f"t-scored.{style}")


def test_text_columns_and_prefix_are_chosen_and_returned(client):
    query = {"filename": "t.csv", "text_column": ["what", "more"], "prefix": "x_"}
    response = client.post("/score", params=query, content=b"what,more,label\ndata,entry,?\n")
    assert response.text.splitlines()[0].startswith("what,more,label,x_label,")
    assert json.loads(response.headers["outsort-table"])["text_columns"] == [["what"], ["more"]]


def test_a_file_without_a_column_of_texts_is_refused_with_its_columns(client):
    response = client.post("/score", params={"filename": "t.csv"}, content=b"lot,Supplier\n1,data entry\n")
    assert_problem(
        response,
        422,
        "t.csv: no clear text column; it may be 'Supplier'; it has 'lot', 'Supplier'. Name one with text_column.",
    )
    assert response.json()["columns"] == ["lot", "Supplier"]
    assert response.json()["samples"] == [["1"], ["data entry"]]


def test_a_column_is_chosen_by_its_number_and_another_read_where_it_is_blank(client):
    content = b"what,n,what\n,data entry,x\nkey forms,,y\n"
    response = client.post("/score", params={"filename": "t.csv", "text_column": "what"}, content=content)
    assert_problem(response, 422, "t.csv: 2 columns 'what'. Name one with text_column by number: 1 or 3.")
    assert response.json()["columns"] == ["what (1)", "n", "what (3)"]
    query = {"filename": "t.csv", "text_column": "1|B", "to": "jsonl"}
    response = client.post("/score", params=query, content=content)
    assert json.loads(response.headers["outsort-table"])["text_columns"] == [["what (1)", "n"]]
    rows = [json.loads(line) for line in response.text.splitlines()]
    # JSON Lines would keep one column of that name: they are renamed as the header of the answer says.
    assert [[row[name] for name in ("what (1)", "n", "what (3)")] for row in rows] == [
        ["", "data entry", "x"], ["key forms", "", "y"],
    ]  # fmt: skip
    assert {row["reason"] for row in rows} & {"empty"} == set()


def test_a_row_that_cannot_be_read_is_named_or_kept(client):
    content = b"id,text\n1,data entry\n2\n"
    response = client.post("/score", params={"filename": "t.csv"}, content=content)
    assert_problem(response, 422, "t.csv, row 3 has 1 cell where the header has 2. Fix it, or pass on_error=keep")
    response = client.post("/score", params={"filename": "t.csv", "on_error": "keep"}, content=content)
    assert "has 1 cell where the header has 2" in response.text


@pytest.mark.parametrize(
    ("query", "headers", "status", "words"),
    [
        ({}, {}, 415, "the file: the name does not tell the format. Known are csv"),
        ({"filename": "t.xlsm"}, {}, 415, "Save it as .xlsx"),
        ({"filename": "t.txt", "to": "pdf"}, {}, 422, "query.to"),
        ({"filename": "t.xls"}, {}, 422, "t.xls: is not valid UTF-8"),
        ({"filename": "t.csv"}, {"content-type": "text/csv; charset=klingon"}, 415, "The charset 'klingon' is not"),
        ({"filename": "t.csv"}, {"content-type": "text/csv; charset=utf-16"}, 422, "header is not valid utf-16 ("),
        ({"filename": "t.csv", "delimiter": "§"}, {}, 422, "query.delimiter"),
        ({"filename": "t.csv"}, {"content-encoding": "gzip"}, 415, "Content-Encoding"),
        ({"filename": "t.csv", "to": "zip"}, {}, 422, "query.to"),
        ({"filename": "t.csv", "encoding": "zip"}, {}, 422, "query.encoding"),
        ({"filename": "t.csv", "encoding": "utf-16"}, {}, 422, "t.csv: the header is not valid utf-16 ("),
        ({"filename": "t.csv.gz"}, {}, 422, "t.csv.gz: is not valid UTF-8"),
        ({"filename": "t.xlsx"}, {}, 422, "t.xlsx: is not valid UTF-8"),
        ({"filename": "t.parquet"}, {}, 422, "t.parquet: is not valid UTF-8"),
        ({"filename": "t.jsonl"}, {}, 422, "t.jsonl, line 1 is not valid JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(client, query, headers, status, words):
    response = client.post("/score", params=query, content=b"text\ndata entr\xffy\n", headers=headers)
    assert_problem(response, status, words)
    assert tempfile.gettempdir() not in response.text


def test_a_form_without_a_file_is_refused(client):
    assert_problem(client.post("/score", files={"other": b"x"}), 422, "in the field 'file'")
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        assert_problem(client.post("/score", content=b"--y", headers={"content-type": kind}), 400, "")


def corrected(client, corrections):
    file = ("t.csv", b"text\nkey invoices\nzzz\n")
    return client.post("/score", files={"file": file, "corrections": ("c.json", corrections)})


def test_corrections_sent_with_a_file_are_in_the_answer(client):
    decided = {"rows": [1], "label": "NEITHER", "reviewer": "می‌ترا", "decided_at": "2026-12-01"}
    response = corrected(client, json.dumps([decided]))
    rows = list(csv.DictReader(io.StringIO(response.text)))
    names = ("label", "model_label", "reviewer", "decided_at")
    assert [rows[0][name] for name in names] == ["BPO", "", "", ""]
    assert [rows[1][name] for name in names] == ["NEITHER", "BPO", "می‌ترا", "2026-12-01"]


@pytest.mark.parametrize(
    ("corrections", "status", "words"),
    [
        ("{", 422, "corrections: is not valid JSON: EOF"),
        ('[{"rows": [0]}]', 422, "corrections.0.label: is missing."),
        ('[{"rows": [-1], "label": "BPO"}]', 422, "corrections.0.rows.0: must be 0 or more."),
        (
            '[{"rows": [0], "label": "bpo"}]',
            422,
            "corrections.0.label: is none of the labels of the model, 'BPO', 'KPO', 'NEITHER'.",
        ),
        (
            '[{"rows": [0], "label": "BPO", "reviewer": "A\\u0000"}]',
            422,
            "corrections.0.reviewer: must be one line without control characters.",
        ),
        ('[{"rows": [2], "label": "BPO"}]', 422, "t.csv: has 2 rows; the correction of row 2 (from 0)"),
        (" " * (4 << 20) + "[]", 413, "The corrections are larger than 4,194,304 bytes."),
    ],
)
def test_corrections_that_cannot_be_used_are_refused_in_words(client, corrections, status, words):
    assert_problem(corrected(client, corrections), status, words)


@pytest.mark.parametrize(
    ("name", "back"),
    [
        ("../../etc/passwd.csv", "passwd-scored.csv"),
        ("..\\..\\boot.csv", "boot-scored.csv"),
        ("/etc/cron.d/x.csv", "x-scored.csv"),
        ("a\r\nset-cookie: b.csv", "a__set-cookie_ b-scored.csv"),
        ("\0.csv", "_-scored.csv"),
        ("....csv", "csv-scored.csv"),
        ("x" * 200 + ".csv", "x" * 96 + "-scored.csv"),
        ('"><img src=x>.csv', "___img src_x_-scored.csv"),
        ("Büro 日本.csv", "Büro 日本-scored.csv"),
    ],
)
def test_of_a_file_s_name_only_a_harmless_rest_is_used(client, monkeypatch, tmp_path, name, back):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    query = {"filename": name, "from": "csv"}
    response = client.post("/score", params=query, content=b"text\ndata entry\n")
    assert response.status_code == 200
    quoted = response.headers["content-disposition"].removeprefix("attachment; filename*=utf-8''")
    assert httpx.URL("http://x/?q=" + quoted).params["q"] == back
    assert "set-cookie" not in response.headers
    wait_for(lambda: not list(tmp_path.iterdir()))


def test_formulas_and_markup_stay_text(client, table):
    response = client.post("/score", params={"filename": "t.csv", "to": "xlsx"}, content=table("t.csv").read_bytes())
    sheet = zipfile.ZipFile(io.BytesIO(response.content)).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "=HYPERLINK(1)" in sheet
    assert "&lt;script&gt;" in sheet


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"texts": ["a"', 400, "The body is not valid JSON"),
        (b"\xff\xfe", 400, ""),
        (b"[" * 100_000, 400, ""),
        (b'{"texts": ' + b"[" * 900 + b"]" * 900 + b"}", 422, "body.texts.0: must be text"),
        (b'{"texts": ' + b"9" * 5000 + b"}", 400, ""),
        (b"", 422, "body: is missing"),
        (b"null", 422, "body"),
        (b'{"texts": "a"}', 422, "body.texts: must be a list"),
        (b'{"texts": [1]}', 422, "body.texts.0: must be text"),
        (b'{"texts": [null]}', 422, "body.texts.0"),
        (b'{"texts": ["\\ud800"]}', 422, "body.texts.0"),
        (b'{"texts": [], "explain": "yes"}', 422, "body.explain"),
        (b'{"texts": [], "other": 1}', 422, "body.other: is not known here"),
        (json.dumps({"texts": ["a"] * (MAX_TEXTS + 1)}).encode(), 422, f"at most {MAX_TEXTS} items"),
        (json.dumps({"texts": ["a" * (MAX_CHARACTERS + 1)]}).encode(), 422, f"at most {MAX_CHARACTERS} char"),
    ],
)
def test_a_body_that_cannot_be_used_is_refused_in_words(client, body, status, words):
    response = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert_problem(response, status, words)
    assert len(response.content) < 2000  # what was sent does not come back


def test_what_is_not_called_json_is_not_read_as_json(client):
    # So that no form of another web page can ask: a browser sends those without asking first.
    assert_problem(client.post("/predict", content=b'{"texts": []}'), 422, "body")
    plain = {"content-type": "text/plain"}
    assert_problem(client.post("/predict", content=b'{"texts": []}', headers=plain), 422, "body")


def test_unknown_paths_and_methods_are_problems_too(client):
    assert_problem(client.get("/../../etc/passwd"), 404, "Not Found")
    assert_problem(client.get("/page/index.html"), 404, "Not Found")
    response = client.get("/predict")
    assert_problem(response, 405, "Method Not Allowed")
    assert response.headers["allow"] == "POST"


def hundred_megabytes():
    for _ in range(100):
        yield bytes(1 << 20)


@pytest.mark.parametrize("path", ["/predict", "/score?filename=t.csv"])
@pytest.mark.parametrize("length", [{}, {"content-length": str(100 << 20)}])
def test_a_hundred_megabytes_are_refused_and_the_next_is_answered(client, path, length):
    headers = {"content-type": "application/json", **length}
    assert_problem(client.post(path, content=hundred_megabytes(), headers=headers), 413, "is larger than")
    assert ask(client, ["data entry"]).status_code == 200


def test_what_takes_too_long_is_refused(model):
    with serving(model, ServiceSettings(answer_seconds=0.001)) as client:
        assert_problem(ask(client, ["data entry"] * 1000), 413, "longer than 0.001 seconds")
        response = client.post("/score", params={"filename": "t.csv"}, content=b"text\ndata entry\n")
        assert_problem(response, 413, "longer than 0.001 seconds")


def test_a_process_that_does_not_start_holds_no_request(model, monkeypatch):
    # None starts in as little time.
    monkeypatch.setattr(workers, "_START_SECONDS", 0.001)
    started = workers.Workers(model, ServiceSettings(answer_seconds=0.001, workers=1))
    try:
        with pytest.raises(HTTPException, match=r"longer than 0\.001 seconds"):
            started.run(len, Job())
    finally:
        started.close()


@pytest.mark.slow
def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_scored(model, tmp_path):
    # What reads a table may have to be compiled, which takes longer than the limit.
    (tmp_path / "t.csv").write_text("text\ndata entry\n")
    files.score_file(tmp_path / "t.csv", tmp_path / "o.csv", model)
    # The process that scores takes about as long to start, which is no fault of a file.
    settings = ServiceSettings(answer_seconds=2, workers=1)
    with serving(model, settings) as client:
        query = {"filename": "t.xlsx", "to": "csv"}
        response = client.post("/score", params=query, content=workbook(wide_rows(8000)))
        assert_problem(response, 413, "Answering takes longer than 2 seconds")
        response = client.post("/score", params={"filename": "t.csv"}, content=b"text\ndata entry\n")
        assert response.status_code == 200


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is kept by Linux")
def test_a_file_that_takes_too_much_memory_is_given_up_and_the_next_is_scored(model):
    # One character from beyond the first 65,536, and each of the text takes four bytes.
    content = ('{"text": "👷' + "key invoices " * 2_000_000 + '"}\n').encode()
    with serving(model, ServiceSettings(workers=1, answer_seconds=PATIENCE, memory=1 << 29)) as client:
        response = client.post("/score", params={"filename": "t.jsonl", "to": "csv"}, content=content)
        assert_problem(response, 413, "takes more than 536,870,912 bytes of memory")
        response = client.post("/score", params={"filename": "t.csv"}, content=b"text\ndata entry\n")
        assert response.status_code == 200


def test_an_error_in_another_process_comes_without_its_message():
    def task(_scorer, _tell):
        raise ValueError("zebracrossing")

    error = pickle.loads(pickle.dumps(workers._outcome(task, None, None)))
    assert re.fullmatch(r"ValueError at .*test_app\.py:\d+", described(error))


# --- clients that are slow, many or gone ---------------------------------------------------------------


def connect(client, **options):
    connection = socket.socket()
    for option, value in options.items():
        connection.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
    connection.settimeout(PATIENCE)
    connection.connect((client.base_url.host, client.base_url.port))
    return connection


def wait_for(condition):
    """Wait until something is so: as long as a busy machine may take."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def read_all(connection):
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


HEAD = b"POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("path", [b"/predict", b"/score?filename=t.csv"])
def test_a_body_that_does_not_arrive_times_out(model, path):
    with serving(model, ServiceSettings(upload_seconds=0.2)) as client, connect(client) as connection:
        connection.sendall(HEAD % path + b"{")
        answer = read_all(connection).decode()
        assert answer.startswith("HTTP/1.1 408 ")
        assert "did not arrive within 0.2 seconds" in answer


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", [[], [b"POST /predict HTTP/1.1\r\nx: y"], [b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n", b"GET /"]]
)
def test_a_client_too_slow_to_send_a_request_is_disconnected(model, monkeypatch, said):
    monkeypatch.setattr(Protocol, "seconds", 0.3)
    with serving(model) as client, connect(client) as connection, suppress(ConnectionError):
        for part in said:
            connection.sendall(part)
            time.sleep(0.1)
        # The connection ends, or this fails with a timeout.
        read_all(connection)


@pytest.mark.slow
def test_a_client_too_slow_to_read_the_response_is_disconnected(model, monkeypatch):
    monkeypatch.setattr(Protocol, "seconds", 0.2)
    content = b"text\n" + b"data entry of a great many long invoices and much more\n" * 40_000
    head = f"POST /score?filename=t.csv HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(content)}\r\n\r\n"
    with serving(model) as client, connect(client, SO_RCVBUF=4096) as connection:
        connection.sendall(head.encode() + content)
        wait_for(lambda: client.server.server_state.connections)
        wait_for(lambda: not client.server.server_state.connections)


def test_a_client_that_disconnects_leaves_no_files(client, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with connect(client) as connection:
        connection.sendall(HEAD % b"/score?filename=t.csv" + b"text\n")
        wait_for(lambda: list(tmp_path.iterdir()))
    wait_for(lambda: not list(tmp_path.iterdir()))


def open_slow(client, stack, n, body=b"{", path=b"/predict"):
    """Open n connections that send the head of a request and a part of its body."""
    head = HEAD.replace(b" 100\r", b" 1000\r") % path
    connections = [stack.enter_context(connect(client)) for _ in range(n)]
    for connection in connections:
        connection.sendall(head + body)
    return connections


def test_slow_clients_take_no_place_of_others(model):
    with serving(model, ServiceSettings(max_requests=2)) as client, ExitStack() as stack:
        open_slow(client, stack, 20)
        wait_for(lambda: len(client.server.server_state.tasks) >= 20)
        assert ask(client, ["data entry"]).status_code == 200


def test_where_there_are_too_many_clients_the_one_that_has_been_sending_for_longest_goes(model, monkeypatch):
    monkeypatch.setattr(Protocol, "limit", 3)
    with serving(model) as client, ExitStack() as stack:
        first, *others = open_slow(client, stack, 3)
        assert ask(client, ["data entry"]).status_code == 200
        with suppress(ConnectionResetError):
            assert first.recv(1) == b""
        for connection in others:
            connection.settimeout(0)
            with pytest.raises(BlockingIOError):
                connection.recv(1)


def test_where_slow_clients_hold_too_much_only_those_that_hold_most_are_refused(model):
    limits = ServiceSettings(max_requests=1, max_body=1000, max_file=1000)  # 2000 bytes together
    with serving(model, limits) as client, ExitStack() as stack:
        *_others, last = open_slow(client, stack, 3, body=b" " * 900)
        said = last.recv(1 << 16)
        assert said.startswith(b"HTTP/1.1 503 ")
        (small,) = open_slow(client, stack, 1, body=b" " * 250)
        time.sleep(0.1)
        small.sendall(b" " * 750)
        assert small.recv(1 << 16).startswith(b"HTTP/1.1 400 ")


class Gate:
    """A way to answer that waits until it is let go."""

    def __init__(self):
        self.entered, self.go = threading.Semaphore(0), threading.Event()

    def __call__(self, model, text, *, explain):
        self.entered.release()
        assert self.go.wait(PATIENCE)
        return app.answer(model, text, explain=explain)


@pytest.mark.parametrize("limits", [ServiceSettings(workers=1, max_waiting=0), ServiceSettings(max_requests=1)])
def test_requests_beyond_the_queue_get_503_and_the_others_are_answered(model, limits):
    gate, answers = Gate(), []
    with serving(model, limits, answering=gate) as client:
        first = threading.Thread(target=lambda: answers.append(ask(client, ["data entry"])))
        first.start()
        gate.entered.acquire()
        response = ask(client, ["data entry"])
        assert_problem(response, 503, "Try again")
        assert response.headers["retry-after"] == "1"
        assert client.get("/health").json() == {"status": "ok"}
        gate.go.set()
        first.join()
        assert answers[0].status_code == 200
        assert ask(client, ["data entry"]).status_code == 200


@pytest.mark.slow
def test_concurrent_requests_are_answered_or_get_503(client):
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(ask(client, ["data entry"] * 50).status_code))
        for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 40
    assert set(statuses) <= {200, 503}
    assert 200 in statuses


def test_no_answer_waits_until_its_head_is_acknowledged(client):
    client.get("/health")
    for connection in client.server.server_state.connections:
        plug = connection.transport.get_extra_info("socket")
        assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- who may ask ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_name_of_the_scheme_is_the_same_in_any_case(model, scheme):  # RFC 9110, 11.1
    with serving(model, ServiceSettings(token="s" * 16)) as client:
        assert client.get("/model", headers={"authorization": f"{scheme} {'s' * 16}"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/page.js", "/health", "/model", "/openapi.json"])
def test_head_has_the_headers_of_get_without_the_body(client, path):
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    del head.headers["date"], get.headers["date"]
    assert head.headers == get.headers


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://localhost:8000", "localhost:8000", 200),
        ("HTTP://LocalHost:8000", "localhost:8000", 200),
        ("https://localhost", "localhost", 200),
        ("http://localhost:9000", "localhost:8000", 403),
        ("http://evil.example", "localhost:8000", 403),
        ("http://localhost.evil.example", "localhost", 403),
        ("null", "localhost", 403),
    ],
)
def test_the_origin_is_checked_where_the_browser_does_not_say_the_site(client, origin, host, status):
    headers = {"origin": origin, "host": host}
    assert client.post("/predict", json={"texts": []}, headers=headers).status_code == status
    # What the browser says of the site is more exact: a proxy may have changed the Host.
    headers["sec-fetch-site"] = "same-origin"
    assert client.post("/predict", json={"texts": []}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nhost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"x" * 100_000,
        b"POST /predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n",
    ],
)
def test_what_is_not_http_is_answered_like_any_other_mistake(client, said):
    with connect(client) as connection:
        connection.sendall(said)
        head, _, body = read_all(connection).decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 400 ")
    headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    assert headers["content-type"] == "application/problem+json"
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert json.loads(body)["detail"] == "Invalid HTTP request received."


def test_a_token_is_asked_for_where_there_is_one(model):
    with serving(model, ServiceSettings(token="s" * 16)) as client:
        for headers in ({}, {"authorization": "Bearer " + "x" * 16}, {"authorization": "s" * 16}):
            for response in (client.get("/model", headers=headers), client.post("/score", headers=headers)):
                assert_problem(response, 401, "Bearer TOKEN")
                assert response.headers["www-authenticate"] == "Bearer"
        good = {"authorization": "Bearer " + "s" * 16, "host": "elsewhere.example"}
        assert client.get("/model", headers=good).status_code == 200
        assert client.get("/").status_code == client.get("/health").status_code == 200
        schemes = client.get("/openapi.json").json()["components"]["securitySchemes"]
        assert schemes == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}


@pytest.mark.parametrize("host", ["elsewhere.example", "localhost.elsewhere.example:8000", "10.0.0.1", "[", ""])
def test_who_calls_this_machine_by_another_name_is_refused(client, host):
    # A web page elsewhere can point a name of its own at this machine, and so read what is served here.
    assert_problem(client.get("/model", headers={"host": host}), 421, "localhost")


@pytest.mark.parametrize(
    "host",
    [
        *("evil-localhost", "evil-localhost:8000", "notlocalhost", "localhost-evil", "localhost.evil"),
        *("127.0.0.1.evil.example", "evil-127.0.0.1", "localhost@evil.example", "[::2]"),
        *("evil.example@127.0.0.1", "localhost/evil.example", "localhost?evil", "localhost:80:80", "::1"),
    ],
)
def test_a_name_that_only_looks_like_this_machine_is_refused(client, host):
    assert_problem(client.get("/model", headers={"host": host}), 421, "localhost")


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1:8000", "[::1]:8000"])
def test_who_calls_it_by_its_own_name_is_answered(client, host):
    assert client.get("/model", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/score?filename=t.csv"])
def test_a_page_elsewhere_cannot_make_a_browser_ask(client, path):
    headers = {"sec-fetch-site": "cross-site", "content-type": "text/plain"}
    assert_problem(client.post(path, content=b"text\nx\n", headers=headers), 403, "own page only")


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200), (None, 200)]
)
def test_of_pages_the_service_s_own_alone_may_ask(client, site, status):
    # The values are those of W3C Fetch Metadata. A page on another port of this machine is same-site.
    headers = {} if site is None else {"sec-fetch-site": site}
    response = client.post("/predict", json={"texts": ["key invoices"]}, headers=headers)
    assert response.status_code == status
    assert client.get("/model", headers=headers).status_code == status


def test_every_answer_forbids_what_the_page_does_not_need(client):
    answers = [client.get("/"), client.get("/model"), client.get("/nowhere"), client.post("/predict")]
    for response in answers:
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
    policy = dict(part.split(" ", 1) for part in HEADERS["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }


def test_the_page_comes_from_the_package_alone_and_puts_no_text_in_as_markup(client):
    folder = Path(outsort.__file__).parent / "service" / "page"
    shown = folder.parents[1] / "reporting" / "document"
    for path in (*folder.iterdir(), shown.with_suffix(".js"), shown.with_suffix(".css")):
        content = path.read_text(encoding="utf-8")
        assert client.get("/" if path.name == "index.html" else f"/{path.name}").text == content
        assert "http" not in content.replace("http://www.w3.org/2000/svg", "")
        markup = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
        assert [word for word in markup if word in content] == []


# --- what is logged ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_texts_are_never_logged(model, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    word = "zebracrossing"

    def answer(_model, text, *, explain):  # noqa: ARG001
        raise ValueError(text)

    with serving(model, answering=answer) as client:
        assert_problem(ask(client, [word]), 500, "see the log of the service")
        ask(client, word)
        client.get(f"/{word}?q={word}")
        client.post("/score", params={"filename": f"{word}.csv", "text_column": word}, content=word.encode())
        client.post("/score", params={"filename": "t.csv"}, content=f"text\n{word}\n".encode())
        # The reader warns of a formula without a result.
        row = f'<row><c t="inlineStr"><is><t>{word}</t></is></c><c r="B2"><f>1</f></c></row>'
        book = workbook(row.encode())
        client.post("/score", params={"filename": "t.xlsx"}, content=book)
    assert capfd.readouterr().err == ""
    ours = [record for record in caplog.records if not record.name.startswith("http")]  # the client's own
    logged = [record.getMessage() + str(record.exc_info) for record in ours]
    assert not [line for line in logged if word in line]
    assert [line for line in logged if re.match(r"ValueError at .*test_app\.py:\d+", line)]
    assert [line for line in logged if line.startswith("POST /score 200")]
    assert [line for line in logged if line.startswith("GET (unknown) 404")]


# --- the command ---------------------------------------------------------------------------------------


@pytest.fixture
def command(model, tmp_path):
    """Run `outsort serve` with the small model; what is started is ended."""
    path = tmp_path / "model.joblib"
    model_file.save(model, path)
    started = []

    def start(*arguments, token=None, **variables):
        environment = {name: value for name, value in os.environ.items() if name != app.TOKEN_NAME} | variables
        process = subprocess.Popen(
            [sys.executable, "-m", "outsort", "serve", "--model", path, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | ({app.TOKEN_NAME: token} if token else {}),
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def port_of(process):
    line = process.stderr.readline()
    return int(re.search(r"serving on http://\S+:(\d+) with model \w{12}$", line)[1])


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a browser that is a shell script")
def test_it_prints_the_address_of_the_page_and_opens_it(command, tmp_path, csv_file):
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    process = command("--port", "0", "--open", BROWSER=f"{browser} %s")
    address = f"http://127.0.0.1:{port_of(process)}"
    assert process.stdout.readline() == f"The page is at {address} (Ctrl+C stops it).\n"
    wait_for(opened.exists)
    assert opened.read_text() == f"{address}\n"

    # With a token where the page can change the user's data; it is not in the log.
    process = command("--port", "0", "--learn", csv_file)
    address = f"http://127.0.0.1:{port_of(process)}"
    token = re.fullmatch(rf"The page is at {address}/#token=(\S+) .*\n", process.stdout.readline())[1]
    assert httpx.get(f"{address}/model").status_code == 401
    assert httpx.get(f"{address}/model", headers={"authorization": f"Bearer {token}"}).json()["learns"] is True


@pytest.mark.slow
def test_what_is_being_asked_is_answered_before_it_stops(command, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = command("--port", "0", TMPDIR=str(temporary), OUTSORT_GRACE_SECONDS=str(PATIENCE))
    port = port_of(process)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(HEAD.replace(b"100", b"18") % b"/score?filename=t.csv" + b"text\n")
        wait_for(lambda: list(temporary.rglob("table.csv")))
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: refused(port))
        connection.sendall(b"key invoices\n")
        answer = read_all(connection).decode()
    assert answer.startswith("HTTP/1.1 200 ")
    assert "\nkey invoices,BPO," in answer
    assert process.wait(PATIENCE) == 143


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals and process groups")
def test_when_the_grace_period_is_over_it_ends_and_leaves_nothing(command, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = command("--port", "0", TMPDIR=str(temporary), OUTSORT_GRACE_SECONDS="1")
    port, body = port_of(process), workbook(wide_rows(8000))
    head = b"POST /score?filename=t.xlsx&to=csv HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body)
    with ExitStack() as stack:
        for _ in range(6):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
            connection.sendall(head + body)
        wait_for(lambda: len(list(temporary.rglob("table.xlsx"))) == 6)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
    said = [line[24:] for line in process.stderr.read().splitlines()]
    assert said[0] == "ended with 6 requests in progress"
    assert [line for line in said[1:] if not line.startswith("POST /score 503")] == []
    wait_for(lambda: not is_running(process.pid))
    assert list(temporary.iterdir()) == []


def is_running(group):
    """Whether a process of a group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name != "posix", reason="elsewhere they are left to the system")
def test_what_killed_services_left_is_removed_but_nothing_of_others(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed, other, linked = (tmp_path / f"outsort-serve-{name}" for name in ("killed", "other", "linked"))
    elsewhere = tmp_path / "elsewhere"
    for folder in (killed, other, elsewhere):
        folder.mkdir()
        (folder / "file").touch()
    (killed / "lock").touch()
    (elsewhere / "lock").touch()
    linked.symlink_to(elsewhere)
    with monkeypatch.context() as patched:
        patched.setattr(os, "getuid", lambda: -1)
        with server.temporary_folder():
            assert killed.exists()
    with server.temporary_folder() as running:
        assert Path(tempfile.gettempdir()) == running
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with server.temporary_folder() as second:
            assert set(tmp_path.iterdir()) == {running, second, other, elsewhere, linked}
    assert set(tmp_path.iterdir()) == {other, elsewhere, linked}
    assert len(list(elsewhere.iterdir())) == 2


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


@pytest.mark.slow
def test_a_second_server_on_the_same_port_says_so(command):
    port = port_of(command("--port", "0"))
    second = command("--port", str(port))
    _, said = second.communicate(timeout=PATIENCE)
    assert second.returncode == 1
    assert said == f"outsort: 127.0.0.1, port {port}: is already in use. Name another with --port.\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (["--host", "0.0.0.0"], None, "Set a token in the environment variable OUTSORT_TOKEN."),  # noqa: S104
        (["--host", "::"], None, "Set a token"),
        ([], "short", "OUTSORT_TOKEN: is not a valid token"),
        ([], "a token with spaces in it", "OUTSORT_TOKEN: is not a valid token"),
        (["--host", "no.such.host.invalid"], "s" * 16, "cannot bind"),
    ],
)
def test_what_cannot_be_served_is_refused_at_once(command, arguments, token, said):
    process = command("--port", "0", *arguments, token=token)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert said in error


def test_without_its_packages_it_says_what_to_install(outsort, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for name in ("app", "guard", "protocol", "server", "workers"):
        monkeypatch.delitem(sys.modules, f"outsort.service.{name}")
    monkeypatch.delattr("outsort.service.app")
    run = outsort("serve")
    assert run.code == 1
    assert "serve needs uvicorn" in run.err
    assert "pip install 'outsort[serve]'" in run.err


# --- settings ------------------------------------------------------------------------------------------


def test_environment_variables_set_the_limits(monkeypatch):
    variables = {"TOKEN": "s" * 16, "MAX_FILE": "64MiB", "MAX_BODY": "1000", "WORKERS": "4", "GRACE_SECONDS": "2.5"}
    for name, value in variables.items():
        monkeypatch.setenv(f"OUTSORT_{name}", value)
    given = {"token": "s" * 16, "max_file": 64 << 20, "max_body": 1000, "workers": 4, "grace_seconds": 2.5}
    assert ServiceSettings.from_environment().model_dump() == ServiceSettings().model_dump() | given


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OUTSORT_WORKERS", "0", "OUTSORT_WORKERS: '0' must be 1 or more."),
        ("OUTSORT_WORKERS", "many", "OUTSORT_WORKERS: 'many' must be a whole number."),
        ("OUTSORT_MAX_FILE", "big", "OUTSORT_MAX_FILE: 'big' must be a size such as 64MiB."),
        ("OUTSORT_MEMORY", "1MB", "OUTSORT_MEMORY: '1MB' must be 536870912 or more."),
        ("OUTSORT_ANSWER_SECONDS", "inf", "OUTSORT_ANSWER_SECONDS: 'inf' must be 86400 or less."),
        ("OUTSORT_ANSWER_SECONDS", "nan", "OUTSORT_ANSWER_SECONDS: 'nan' must be "),
        ("OUTSORT_MAX_FILES", "1", "OUTSORT_MAX_FILES: is not a setting. Known are OUTSORT_TOKEN, OUTSORT_MAX_BODY, "),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name(outsort, monkeypatch, name, value, said):
    monkeypatch.setenv(name, value)
    run = outsort("serve")
    assert run.code == 1
    assert run.err.startswith(f"outsort: {said}")
    assert run.err.count("\n") == 1


def test_the_documents_list_each_setting_with_its_default():
    text = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(OUTSORT_\w+)` \| ([\w.]+) \|", text, re.MULTILINE))
    assert listed.pop("OUTSORT_TOKEN") == "none"
    given = ServiceSettings.model_validate({name.removeprefix("OUTSORT_").lower(): v for name, v in listed.items()})
    assert given == ServiceSettings()
    assert len(listed) + 1 == len(ServiceSettings.model_fields)


# --- the description -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_service_does_what_its_description_says(client, tmp_path):
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIG, "run"),
            *(f"{client.base_url}/openapi.json", "--max-examples", "40", "--seed", "1", "--no-color"),
            *("--request-timeout", str(PATIENCE)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    printed = [line[:500] for line in done.stdout.splitlines()]
    assert done.returncode == 0, "\n".join(printed)
    assert "Warnings:" not in done.stdout, "\n".join(printed)
    assert re.search(r"Tested: 5$", done.stdout, re.MULTILINE)


def test_json_is_described_as_what_it_holds_and_not_as_a_string(client):
    # A description of bytes would say of `application/json` that it holds a string, which no table is.
    score = client.get("/openapi.json").json()["paths"]["/score"]["post"]
    for body in (score["requestBody"], score["responses"]["200"]):
        assert body["content"]["application/json"] == {"schema": {}}
        assert body["content"]["application/gzip"]["schema"]["format"] == "binary"


def test_the_examples_in_the_description_are_what_is_answered(client):
    paths = client.get("/openapi.json").json()["paths"]
    example = paths["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["example"]
    assert ask(client, schemas.EXAMPLES).json() == example
    content = paths["/score"]["post"]["requestBody"]["content"]["text/csv"]
    response = client.post("/score", content=content["example"], headers={"content-type": "text/csv"})
    assert response.status_code == 200


@pytest.mark.slow
def test_a_taxonomy_is_served_beside_the_labels():
    model = default_model()
    market = taxonomy.load("market", model)
    with serving(model, taxonomy=market) as client:
        (answer,) = client.post("/predict", json={"texts": ["Reset user passwords"]}).json()["answers"]
        assert (answer["label"], answer["category_level"], answer["taxonomy"]) == ("BPO", "ITO", market.fingerprint)
        about = client.get("/model").json()
        assert about["taxonomy"] == market.fingerprint
        assert about["categories"]["category_level"]["ITO"] == "Information technology outsourcing"
        scored = client.post(
            "/score", content=b"id,text\n1,Reset user passwords\n", headers={"content-type": "text/csv"}
        )
        assert "category_level_decision" in scored.text.splitlines()[0]
        assert scored.text.splitlines()[1].endswith(market.fingerprint)
