"""Documents, odd and damaged: every clause is found, or they are refused in one message.

Each try writes a scope of work, whose clauses are known, as a PDF, Word document, web page, Markdown or plain text,
with something that a document may have or after some damage, and scores it, whole or split.
"""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from attack.harness import Found, Try, check_refusal, command_here
from attack.tables import check_left, rows_written
from documents import clauses_of, docx, docx_of, html_of, markdown_of, paragraph, pdf, pdf_of, plain_of, scope, stream
from models import random_model
from outsort import model_file
from outsort.text import words

OUTPUTS = ["csv", "jsonl", "xlsx", "parquet"]
#: Texts in other languages and scripts, beside the clauses.
FOREIGN = [
    "Die Rechnungen werden täglich erfasst.",
    "Saisie des factures à la journée.",
    "会計帳簿を記帳する。",
    "🙂 ∑ №",
]
PICTURE = stream(b"\x80" * 10_000, b"/Subtype/Image/Width 100/Height 100/ColorSpace/DeviceGray/BitsPerComponent 8")
SCAN = b"q 500 0 0 700 40 70 cm /I Do Q"
LOCK = [b"null", b"<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>" % (b"41" * 32, b"42" * 32)]
HOSTILE = (
    b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"
    b"/Names<</EmbeddedFiles<</Names[(a.exe)<</Type/Filespec/F(a.exe)/EF<</F 5 0 R>>>>]>>>>"
)
#: XML that a Word document may have in its body beside the clauses.
ODD_WORD = [
    "<w:p><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del><w:ins><w:r><w:t>New.</w:t></w:r></w:ins></w:p>",
    '<w:p><w:commentRangeStart w:id="1"/><w:r><w:t>Said.</w:t></w:r><w:r><w:commentReference w:id="1"/></w:r></w:p>',
    f"<w:p><w:r><w:pict><w:txbxContent>{paragraph('In a box.')}</w:txbxContent></w:pict></w:r></w:p>",
    "<w:sdt><w:sdtContent>" * 60 + paragraph("Deep.") + "</w:sdtContent></w:sdt>" * 60,
]


class Document(NamedTuple):
    """A document.

    Attributes:
        style: the suffix of its file.
        raw: its bytes.
        clauses: what must come out, unless it is refused.
        is_refused: whether it must be.
    """

    style: str
    raw: bytes
    clauses: Sequence[str] = ()
    is_refused: bool = False


def zipped(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def laughs():
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    start = f'<!DOCTYPE d [<!ENTITY e0 "lol">{entities}]><w:document xmlns:w="x">&e9;</w:document>'
    return docx("", document=start)


def many_pages(rng):
    """A document of up to 2,000 pages, each a copy of the one before but for a word."""
    n = rng.choice([200, 500, 2000])
    parts = [part for i in range(n // 2) for part in scope(1)[1:4]]
    return Document("pdf", pdf_of(parts), clauses_of(parts[:3]))


def many_objects(rng):
    """A page of up to a million objects."""
    n = rng.choice([10_000, 100_000, 1_000_000])
    drawn = b"".join(b"BT /F 1 Tf %d %d Td (a) Tj ET\n" % (i % 590, i // 590 % 840) for i in range(n))
    return Document("pdf", pdf([drawn]))


#: Documents that only one program would write, or nobody who means well.
SPECIAL = {
    "locked": lambda _: Document("pdf", pdf([[]], more=LOCK, trailer=b"/Encrypt 6 0 R/ID[<00><00>]"), is_refused=True),
    "scanned": lambda _: Document("pdf", pdf([SCAN], more=[PICTURE]), is_refused=True),
    "half scanned": lambda _: Document("pdf", pdf([[(60, 700, 10, "Key it.")], SCAN], more=[PICTURE]), ["Key it."]),
    "scripts": lambda _: Document(
        "pdf", pdf_of(scope(1), catalogue=HOSTILE, more=[stream(b"x")]), clauses_of(scope(1))
    ),
    "bomb": lambda _: Document("docx", zipped({"word/document.xml": bytes(300 << 20)}), is_refused=True),
    "page of nothing": lambda _: Document("pdf", pdf([b"BT /F 1 Tf " + b" " * (700 << 20)]), is_refused=True),
    "laughs": lambda _: Document("docx", laughs(), is_refused=True),
    "no clause of work": lambda _: Document("txt", b"Time is of the essence.\n\nLaw of England.", ["Law of England."]),
    "blank": lambda rng: Document(rng.choice(["txt", "md", "html"]), b" \n", is_refused=True),
    "deep": lambda rng: Document("html", b"<div>" * rng.choice([100, 100_000]) + b"<p>Key it.", ["Key it."]),
    "deep lists": lambda rng: Document(
        "md", b">" * rng.choice([100, 20_000]) + b"[" * 9000 + b"\n\nKey it.", ["Key it."]
    ),
}
HEAVY = [many_pages, many_objects]


def written(rng):
    """Return a scope in one of the formats, seldom with other languages or odd parts in it."""
    parts = scope(rng.randrange(1000))
    # Every document has an end that nothing goes on from.
    foreign = [part._replace(content=[rng.choice(FOREIGN)]) for part in parts if part.kind in ("clause", "paragraph")]
    style = rng.choice(["pdf", "docx", "html", "md", "txt"])
    if style != "pdf" and rng.random() < 0.3:
        parts += foreign[:2]
    clauses = clauses_of(parts)
    if style == "docx":
        raw = docx_of(parts, automatic=rng.random() < 0.5)
        if rng.random() < 0.4:
            raw = reworded(raw, b"<w:sectPr>", rng.choice(ODD_WORD).encode() + b"<w:sectPr>")
        return Document(style, raw, clauses)
    if style == "pdf":
        return Document(style, pdf_of(parts), clauses)
    text = {"html": html_of, "md": markdown_of, "txt": plain_of}[style](parts)
    if rng.random() < 0.3:
        text = text.replace("\n", "\r\n")
    return Document(style, text.encode("utf-8-sig" if rng.random() < 0.2 else "utf-8"), clauses)


def reworded(raw, old, new):
    """Return a Word document with something else in its text."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["word/document.xml"] = parts["word/document.xml"].replace(old, new, 1)
    return zipped(parts)


def spoilt(rng, document):
    """Return a document with some bytes changed, left out or put in; of Word sometimes within its text."""
    raw = document.raw
    if document.style == "docx" and rng.random() < 0.5:
        tags = [b"<w:p>", b"</w:p>", b"<w:t>", b"<w:tr>", b"</w:tbl>", b"w:val=", b"<w:numId", b"<w:body>"]
        return document._replace(
            raw=reworded(raw, rng.choice(tags), rng.choice([b"", b"<x>", b"&b;", b"\xff"])), clauses=()
        )
    for _ in range(rng.choice([1, 1, 3, 30])):
        place = rng.randrange(len(raw) or 1)
        end = place + rng.choice([0, 1, 1, 100, len(raw)])
        raw = raw[:place] + rng.choice([b"", rng.randbytes(1), rng.randbytes(50), b"<", b"\0", b"endobj"]) + raw[end:]
    return document._replace(raw=raw, clauses=())


@contextmanager
def start(folder: Path) -> Iterator[Try]:
    """Save a small model; each try scores one document by it."""
    model = folder / "model.joblib"
    model_file.save(random_model(3, with_out_of_scope=True), model)
    yield lambda seed, its_folder: score_document(seed, its_folder, model)


def score_document(seed: int, folder: Path, model: Path) -> None:
    """Make, often spoil, and score one document.

    Raises:
        Found: a clause is lost, or it is not refused as it should be.
    """
    rng = random.Random(seed)
    chance = rng.random()
    if chance < 0.02:
        document = rng.choice(HEAVY)(rng)
    elif chance < 0.3:
        document = rng.choice(list(SPECIAL.values()))(rng)
    else:
        document = written(rng)
        document = spoilt(rng, document) if rng.random() < 0.6 else document
    is_split, output = rng.random() < 0.7, rng.choice(OUTPUTS)
    source, target = folder / f"in.{document.style}", folder / f"out.{output}"
    source.write_bytes(document.raw)
    options = ["--split"] if is_split else []
    outcome = command_here("score", source, "-o", target, "--model", model, "--workers", 1, *options)
    if outcome.code:
        check_refusal(outcome, str(folder))
        check_left(folder, {source.name})
        if document.clauses and not document.is_refused:
            raise Found("lost", f"refused: {outcome.err}")
        return
    check_left(folder, {source.name, target.name})
    if document.is_refused:
        raise Found("torn", "it is not refused")
    rows = [dict(row) for row in rows_written(target, output)]
    if not is_split:
        if len(rows) != 1:
            raise Found("torn", f"{len(rows)} rows, where there is one document")
        return
    found = {plain(row["text"]) for row in rows}
    missing = [clause for clause in document.clauses if words(clause) and plain(clause) not in found]
    # What a page has by chance may look like something else; a scope has thirty clauses or more.
    if len(missing) > 0.05 * len(document.clauses):
        raise Found("lost", f"{len(missing)} of {len(document.clauses)} clauses, such as {missing[:3]}")


def plain(text: object) -> str:
    """Return the words of a text, as wraps, marks and cases may change what is between them."""
    return re.sub(r"\W+", " ", str(text)).strip().casefold()
