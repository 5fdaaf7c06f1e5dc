"""The same scope of work gives the same clauses whatever it is written as."""

import io
import re
from importlib import import_module

import pytest

import documents
from outsort.scoring.split import clauses_of


def found_in(module, content):
    """Return the clauses of a document, without their numbers."""
    answers = import_module(f"outsort.tables.documents.{module}").read(io.BytesIO(content))
    passages = [answer for answer in answers if hasattr(answer, "kind")]
    whole = ("heading", "row", "header")
    return [clause for p in passages for clause in ([p.text] if p.kind in whole else clauses_of(p.text))]


WRITTEN = {
    "html": lambda parts: documents.html_of(parts).encode(),
    "docx": documents.docx_of,
    "docx numbered": lambda parts: documents.docx_of(parts, automatic=True),
    "markdown": lambda parts: documents.markdown_of(parts).encode(),
    "pdf": documents.pdf_of,
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_clause_is_found_and_nothing_else(how, seed):
    parts = documents.scope(seed)
    assert found_in(how.split()[0], WRITTEN[how](parts)) == documents.clauses_of(parts)


@pytest.mark.parametrize("seed", [1, 2])
def test_plain_text_is_unwrapped(seed):
    parts = documents.scope(seed)
    found = found_in("plain", documents.plain_of(parts).encode())
    assert [clause.casefold() for clause in found] == [clause.casefold() for clause in documents.clauses_of(parts)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_pdf_by_libreoffice_has_the_clauses_of_the_word_document(seed, office, tmp_path):
    parts = documents.scope(seed)
    (tmp_path / "in.docx").write_bytes(documents.docx_of(parts, automatic=seed == 1))
    content = office(tmp_path / "in.docx", "pdf", tmp_path).read_bytes()
    assert found_in("pdf", content) == documents.clauses_of(parts)


STYLES = {
    "plain": "",
    "justified": "body{text-align:justify;hyphens:auto;font-size:12pt}",
    "two columns": "body{columns:2;font-size:9pt}",
    "no lines or spaces": "h1,h2{font-size:11pt}td,th{border:none;padding:2px;vertical-align:top}",
    "indented": "body{font-size:10pt;line-height:1.6}p{margin:0;text-indent:2em}",
}


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_a_pdf_by_chromium_has_the_clauses_of_the_page(style, browser):
    parts = documents.scope(len(style))
    page = browser.new_page()
    page.set_content(documents.html_of(parts, STYLES[style]))
    content = page.pdf(display_header_footer=True, margin=dict.fromkeys(("top", "bottom", "left", "right"), "2cm"))
    page.close()
    found, expected = found_in("pdf", content), documents.clauses_of(parts)
    missing = set(map(_plain, expected)) - set(map(_plain, found))
    assert len(missing) <= 0.05 * len(expected), missing


def _plain(clause):
    return re.sub(r"\W+", " ", clause)
