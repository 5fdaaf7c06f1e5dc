"""Word documents: what Word shows is read, numbers included, and what it does not show is not."""

import io

import pytest

from documents import docx, paragraph
from outsort.tables.documents.docx import read


def read_docx(body, **parts):
    """Return the remarks, and (number, kind, text) of the passages of a document."""
    answers = list(read(io.BytesIO(docx(body, **parts))))
    passages = [(p.number, p.kind, p.text) for p in answers if not isinstance(p, (int, str))]
    return [answer for answer in answers if isinstance(answer, str)], passages


def test_lists_are_numbered_as_word_numbers_them():
    levels = [0, 1, 1, 2, 2, 1, 0, 1, 2]
    body = "".join(paragraph(f"line {i}", numbered=(1, level)) for i, level in enumerate(levels))
    _, found = read_docx(body + paragraph("point", numbered=(2, 0)))
    assert [number for number, _, _ in found] == ["1", "1.1", "1.2", "(a)", "(b)", "1.3", "2", "2.1", "(a)", ""]
    assert [kind for _, kind, _ in found] == [*["paragraph"] * 3, *["item"] * 2, *["paragraph"] * 3, *["item"] * 2]


@pytest.mark.slow
def test_libreoffice_shows_the_same_numbers(office, tmp_path):
    levels = [0, 1, 1, 2, 2, 1, 0, 1, 2]
    body = "".join(paragraph(f"line {i}", numbered=(1, level)) for i, level in enumerate(levels))
    (tmp_path / "a.docx").write_bytes(docx(body))
    shown = office(tmp_path / "a.docx", "txt:Text", tmp_path).read_text(encoding="utf-8-sig").splitlines()
    assert [line.split()[0] for line in shown if line] == [number for number, _, _ in read_docx(body)[1]]


def test_tracked_changes_are_read_as_accepted_and_comments_are_not_read():
    body = (
        "<w:p><w:r><w:t>Key </w:t></w:r><w:del><w:r><w:delText>500</w:delText></w:r></w:del><w:ins><w:r><w:t>300</w:t>"
        '</w:r></w:ins><w:r><w:t> invoices</w:t></w:r><w:r><w:commentReference w:id="1"/></w:r></w:p>'
    )
    comments = '<w:comments xmlns:w="x"><w:comment><w:p><w:r><w:t>no</w:t></w:r></w:p></w:comment></w:comments>'
    remarks, found = read_docx(body, comments=comments)
    assert remarks == ["comments, not read", "tracked changes, read as accepted"]
    assert found == [("", "paragraph", "Key 300 invoices")]


def test_text_boxes_footnotes_and_line_breaks_are_read_once():
    box = f"<w:txbxContent>{paragraph('In a box')}</w:txbxContent>"
    namespace = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    body = (
        f"<w:p><w:r><w:t>Before</w:t></w:r><w:r><mc:AlternateContent {namespace}><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
        "<w:p><w:r><w:t>One</w:t><w:br/><w:t>Two</w:t></w:r></w:p>"
    )
    note = '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    note += (
        f'<w:footnote w:type="separator">{paragraph("-")}</w:footnote><w:footnote>{paragraph("A note")}</w:footnote>'
    )
    _, found = read_docx(body, footnotes=f"{note}</w:footnotes>")
    assert [text for _, _, text in found] == ["Before", "In a box", "One", "Two", "A note"]


def test_hidden_text_and_codes_of_fields_are_not_read():
    body = (
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:instrText>PAGE</w:instrText></w:r>"
        "<w:r><w:t>shown</w:t></w:r></w:p>"
    )
    assert read_docx(body)[1] == [("", "paragraph", "shown")]


def test_text_that_is_struck_out_is_not_read_and_told():
    struck = "<w:r><w:rPr><w:strike/></w:rPr><w:t>all</w:t></w:r>"
    kept = '<w:r><w:rPr><w:strike w:val="0"/></w:rPr><w:t>Key</w:t></w:r>'
    answers = read_docx(f"<w:p>{kept}{struck}<w:r><w:t> invoices</w:t></w:r></w:p>")
    assert answers == (["struck-out text, not read"], [("", "paragraph", "Key invoices")])


def test_a_line_in_bold_is_a_heading_without_a_style():
    bold = "<w:r><w:rPr><w:b/></w:rPr><w:t>{}</w:t></w:r>"
    title, text = bold.format("2. Our ") + bold.format("services"), f"{bold.format('Key')}<w:r><w:t> it</w:t></w:r>"
    assert read_docx(f"<w:p>{title}</w:p><w:p>{text}</w:p>")[1] == [
        ("2", "heading", "Our services"),
        ("", "paragraph", "Key it"),
    ]


def test_a_table_that_lays_out_text_is_no_row():
    def table(*rows):
        cells = ("".join(f"<w:tc>{''.join(map(paragraph, cell))}</w:tc>" for cell in row) for row in rows)
        return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"

    found = read_docx(table([["One.", "Two."]], [["A", "B"], [""], ["C"]]))[1]
    assert found == [("", "paragraph", "One."), ("", "paragraph", "Two."), ("", "row", "A B | C")]


def test_the_header_that_word_repeats_on_each_page_is_one():
    def row(mark, *cells):
        return f"<w:tr>{mark}{''.join(f'<w:tc>{paragraph(cell)}</w:tc>' for cell in cells)}</w:tr>"

    head = row("<w:trPr><w:tblHeader/></w:trPr>", "Apples", "Pears")
    assert read_docx(f"<w:tbl>{head}{row('', 'One', 'Two')}</w:tbl>")[1] == [
        ("", "header", "Apples | Pears"),
        ("", "row", "One | Two"),
    ]


def test_pages_are_those_that_word_left_marks_of():
    body = paragraph("one") + "<w:p><w:r><w:lastRenderedPageBreak/><w:t>two</w:t></w:r></w:p>" + paragraph("three")
    answers = list(read(io.BytesIO(docx(body))))
    assert answers[0] == 2
    assert [passage.page for passage in answers[1:]] == [1, 2, 2]
