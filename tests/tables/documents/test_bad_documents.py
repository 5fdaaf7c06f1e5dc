"""Documents that cannot be read, or only in part: one message each, and bounded."""

import io
import zipfile

import pytest

from documents import docx, paragraph, pdf
from outsort.errors import DataError
from outsort.tables.base import ReadOptions
from outsort.tables.sources import opened

PDF = pdf([[(72, 700, 11, "Key invoices.")]])
WORD = docx(paragraph("Key invoices."))
#: Two lines that ask for a password: what it is made into fits no password.
_LOCK = [b"null", b"<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>" % (b"41" * 32, b"42" * 32)]
LOCKED = pdf([[(72, 700, 11, "Key invoices.")]], more=_LOCK, trailer=b"/Encrypt 6 0 R/ID[<00><00>]")


def bomb():
    """Return a document that unpacks to 400 MB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as part:
        for _ in range(400):
            part.write(bytes(1 << 20))
    return out.getvalue()


def laughs():
    """Return a document whose text is ten entities that are ten entities, nine times."""
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    xml = WORD_XML.replace("<w:document", f'<!DOCTYPE d [<!ENTITY e0 "lol">{entities}]><w:document', 1)
    return docx("", document=xml.replace("Key", "&e9;"))


WORD_XML = (
    '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    "<w:p><w:r><w:t>Key</w:t></w:r></w:p></w:body></w:document>"
)
REFUSED = {
    "locked": ("a.pdf", LOCKED, "is protected by a password. Save it without one."),
    "cut": ("a.pdf", PDF[:200], "is damaged, or not a PDF document (Failed to load document"),
    "head alone": ("a.pdf", b"%PDF-1.7\n", "is damaged, or not a PDF document"),
    "empty pdf": ("a.pdf", pdf([b""]), "has no text. Name a document with text."),
    "cut word": ("a.docx", WORD[:900], "is damaged, or not a Word document"),
    "broken xml": ("a.docx", docx("", document=WORD_XML[:-20]), "is damaged, or not a Word document ("),
    "bomb": ("a.docx", bomb, "unpacks to more than 300 times its size. If that is right, unpack it first."),
    "laughs": ("a.docx", laughs, "is damaged, or not a Word document (limit on input amplification"),
    "no word": ("a.docx", docx("").replace(b"word/document", b"word/documenu"), "has no text of a Word document"),
    "blank": ("a.txt", b" \n\n", "has no text. Name a document with text."),
    "empty page": ("a.html", b"<html><script>x</script>", "has no text. Name a document with text."),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_one_message(name, content, said, outsort, model_path, tmp_path):
    (tmp_path / name).write_bytes(content() if callable(content) else content)
    done = outsort("score", tmp_path / name, "-o", tmp_path / "out.csv", "--split", "-m", model_path)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith(f"outsort: {tmp_path}/{name}: {said}")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def texts_in(path, **options):
    with opened(str(path), ReadOptions(split=True, **options)) as table:
        return [row[-1] for batch in table.reader for row in batch.values(table.reader.columns)], table.format.name


@pytest.mark.parametrize(
    ("name", "content", "style"),
    [
        ("scope", PDF, "pdf"), ("scope.docx", PDF, "pdf"), ("scope.txt", WORD, "docx"), ("a.docm", WORD, "docx"),
        ("a.md", b"<html><p>Key invoices.", "html"), ("a.htm", b"Key invoices.", "html"),
        ("a.markdown", b"Key invoices.", "md"), ("a.txt", b"Key invoices.", "txt"),
    ],
)  # fmt: skip
def test_a_document_is_known_by_its_bytes_then_by_its_name(name, content, style, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert texts_in(tmp_path / name) == (["Key invoices."], style)


@pytest.mark.parametrize(
    ("content", "style"),
    [
        ("text\nkey invoices\nfile them\n", "csv"),
        ("id,description\n1,key invoices\n2,file them\n", "csv"),
        ("id\tdescription\n1\tkey invoices\n", "csv"),
        ("Scope of work\n\nThe Supplier keys invoices, files them and reports.\n", "txt"),
        ("The Supplier keys invoices, files them, and reports.\nIt answers calls, too.\n", "txt"),
        ("Dear all,\nplease key the invoices, then file them.\n", "txt"),
    ],
)
def test_plain_text_is_a_table_where_its_lines_look_like_rows(content, style, tmp_path):
    (tmp_path / "a.txt").write_text(content)
    with opened(str(tmp_path / "a.txt"), ReadOptions()) as table:
        assert table.format.name == style


def test_the_encoding_of_plain_text_is_found_or_named(tmp_path):
    (tmp_path / "a.txt").write_bytes("Büro putzen und Straße kehren.".encode("utf-16"))
    assert texts_in(tmp_path / "a.txt")[0] == ["Büro putzen und Straße kehren."]
    (tmp_path / "a.txt").write_bytes("caf\xe9".encode("cp1252"))
    assert texts_in(tmp_path / "a.txt", encoding="cp1252")[0] == ["café"]


def test_a_library_that_is_missing_is_named(monkeypatch):
    from outsort.tables.documents import child

    def missing(_):
        raise ModuleNotFoundError("no", name="pypdfium2")

    monkeypatch.setattr(child, "import_module", missing)
    with pytest.raises(DataError, match=r"needs pypdfium2; install it with pip install 'outsort\[documents\]'\."):
        list(child.answers(io.BytesIO(PDF), "pdf"))


def test_memory_and_time_are_bounded(monkeypatch, tmp_path):
    (tmp_path / "a.pdf").write_bytes(PDF)
    monkeypatch.setattr("outsort.tables.bounded.MAX_MEMORY", 1 << 24)
    with pytest.raises(
        DataError, match=r"a\.pdf: needs more than 0 GB of memory, or is damaged\. Save it as plain text"
    ):
        texts_in(tmp_path / "a.pdf")
    monkeypatch.undo()
    monkeypatch.setattr("outsort.tables.documents.reading._SECONDS", 0)
    (tmp_path / "a.txt").write_text("Key invoices, and file them. " * 100_000)
    with pytest.raises(DataError, match=r"a\.txt: takes longer than 0 minutes to read\. Save it as plain text"):
        texts_in(tmp_path / "a.txt")
