"""PDF files made line by line: what belongs together is read together, and the rest is named or left out."""

import io

import pytest

from documents import pdf, stream
from outsort.errors import DataError
from outsort.tables.documents.pdf import read


def read_pdf(content):
    """Return the pages, the remarks, and (number, kind, text) of the passages of a PDF."""
    pages, *answers = read(io.BytesIO(content))
    remarks = [answer for answer in answers if isinstance(answer, str)]
    return pages, remarks, [(p.number, p.kind, p.text) for p in answers if not isinstance(p, str)]


def texts(content):
    return [text for _, _, text in read_pdf(content)[2]]


#: A page of full lines, by which it is told how wide the text is.
FULL = [
    (72, 760 - 14 * i, 11, "The Supplier shall register all invoices of the Council and its schools in the ledger")
    for i in range(4)
]


def test_lines_are_put_together_until_one_has_room_for_more():
    lines = [
        *((72, 660, 11, "Key supplier invoices into the ledger of the Council, which the finance team checks every"), ),
        *((72, 646, 11, "evening."), (72, 632, 11, "Answer calls from residents.")),
    ]  # fmt: skip
    assert texts(pdf([FULL + lines]))[-2:] == [
        "Key supplier invoices into the ledger of the Council, which the finance team checks every evening.",
        "Answer calls from residents.",
    ]


@pytest.mark.parametrize("word", ["payroll", "cut-off", "self-service"])
def test_words_cut_at_the_end_of_a_line_are_joined(word):
    first, second = ("pay-", "roll") if word == "payroll" else (f"{word.partition('-')[0]}-", word.partition("-")[2])
    lines = [
        (72, 660, 11, f"The Supplier shall answer for all that has to do, in the widest sense of it, with the {first}"),
        (72, 646, 11, f"{second} of the Council."),
    ]
    assert f"with the {word} of the Council." in texts(pdf([FULL + lines]))[-1]


def test_headings_are_larger_or_bold_and_numbers_and_bullets_are_apart():
    lines = [
        *((72, 660, 16, "3 Scope"), (72, 640, 11, "*Finance"), (72, 620, 11, "3.1 Key invoices.")),
        *((72, 606, 11, "(a) scanning"), (72, 592, 11, "\u2022 post")),
        (72, 578, 11, "2.5 million letters a year are expected."),
    ]
    assert read_pdf(pdf([FULL + lines]))[2][-6:] == [
        ("3", "heading", "Scope"),
        ("", "heading", "Finance"),
        ("3.1", "paragraph", "Key invoices."),
        ("(a)", "item", "scanning"),
        ("", "item", "post"),
        ("", "paragraph", "2.5 million letters a year are expected."),
    ]


@pytest.mark.parametrize("second", [660, 653], ids=["top", "middle"])
def test_cells_are_read_one_after_the_other_wherever_they_stand(second):
    lines = [
        *((72, 660, 11, "Payroll for all of the staff"), (72, 646, 11, "of the Council"), (260, second, 11, "4,200")),
        *((72, 620, 11, "Legal research"), (260, 620, 11, "40 a year")),
    ]
    assert read_pdf(pdf([FULL + lines]))[2][-2:] == [
        ("", "row", "Payroll for all of the staff of the Council | 4,200"),
        ("", "row", "Legal research | 40 a year"),
    ]


def test_the_paragraphs_of_a_cell_are_of_one_row():
    lines = [
        *((72, 660, 11, "Payroll"), (260, 660, 11, "4,200 a month."), (260, 640, 11, "As agreed.")),
        *((72, 610, 11, "Legal research"), (260, 610, 11, "40 a year"), (72, 580, 11, "Other services.")),
    ]
    assert texts(pdf([FULL + lines]))[-3:] == [
        *("Payroll | 4,200 a month. As agreed.", "Legal research | 40 a year", "Other services.")
    ]


def test_columns_of_text_are_read_one_after_the_other():
    left = [(72, 760 - 14 * i, 10, "Key invoices that come in by post and in the") for i in range(20)]
    right = [(320, 760 - 14 * i, 10, "Draft opinions on the law of property of the") for i in range(20)]
    found = texts(pdf([left + right]))
    assert "post and in the Key" in found[0]
    assert not any("Draft" in text and "Key" in text for text in found)


def test_two_columns_are_read_one_after_the_other_and_what_goes_on_in_the_second_is_joined():
    left = [(72, 760 - 14 * i, 10, "Key invoices that come in by post and in the") for i in range(20)]
    right = [(320, 760 - 14 * i, 10, "evening, and draft opinions on all laws of the") for i in range(20)]
    assert len(texts(pdf([left + right]))) == 1


def test_a_narrow_column_is_as_wide_as_its_own_lines():
    narrow = ((60, "We are looking for somebody"), (60, "who keys invoices into SAP"), (60, "and never tires of it."))
    wide = [(240, 790 - 14 * i, 10, "Draft opinions on the law of property for all of our clients") for i in range(9)]
    lines = [(60, 740, 10, "An employer of many years, and far beyond the town the first of its kind")]
    lines += [(x, 700 - 14 * i, 10, text) for i, (x, text) in enumerate(narrow)] + wide
    assert "We are looking for somebody who keys invoices into SAP and never tires of it." in texts(pdf([lines]))


def test_what_is_below_the_text_of_an_item_belongs_to_it():
    lines = [(72, 660, 11, "(a) keys"), (88, 646, 11, "supplier invoices"), (72, 632, 11, "Draft opinions.")]
    assert texts(pdf([FULL + lines]))[-2:] == ["keys supplier invoices", "Draft opinions."]


def test_a_wide_gap_after_a_number_parts_no_words_of_a_stretched_line():
    content = b"BT /F 11 Tf 72 660 Td (3.1) Tj ET BT /F 11 Tf 15 Tw 130 660 Td (Proposals must be sent in) Tj ET"
    assert read_pdf(pdf([content]))[2] == [("3.1", "paragraph", "Proposals must be sent in")]


def table(rows, lefts, tops):
    """Return what draws cells, each a list of lines, with rules around them; empty lists for no text."""
    ends = (lefts[0], lefts[-1], tops[0], tops[-1])
    rules = [b"%d %d m %d %d l S" % (ends[0], top, ends[1], top) for top in tops]
    rules += [b"%d %d m %d %d l S" % (left, ends[2], left, ends[3]) for left in lefts]
    drawn = [
        b"BT /F 11 Tf %d %d Td (%s) Tj ET" % (left + 3, top - 13 - 14 * i, line)
        for cells, top in zip(rows, tops, strict=False)
        for cell, left in zip(cells, lefts, strict=False)
        for i, line in enumerate(cell)
    ]
    return b"\n".join([*rules, *drawn])


#: A cell that ends next to the one beside it, marks that are cells of their own, and rows without a gap between them.
CLOSE = (
    [
        [[b"Key declarations"], [b"I"], [b"R"]],
        [[b"Draft", b"opinions, also on"], [b"-"], [b"-"]],
        [[b"on"], [b"A"], []],
    ],
    (72, 162, 176, 240),
    (700, 684, 654, 638),
)


def test_rules_tell_the_cells_of_a_table():
    assert read_pdf(pdf([table(*CLOSE)]))[2] == [
        ("", "row", "Key declarations | I | R"),
        ("", "row", "Draft opinions, also on | - | -"),
        ("", "row", "on | A"),
    ]


def test_the_clauses_of_a_cell_are_told_apart_and_a_header_comes_once():
    rows = [
        [[b"Service"], [b"Due"]],
        [[b"Coast"], [b"Keying of all survey sheets of the", b"Council.", b"", b"Analysis of the trends in them."]],
    ]
    pages = [
        table(rows, (72, 200, 420), (700, 684, 620)),
        table([rows[0], [[b"Advice"], [b"None"]]], (72, 200, 420), (700, 684, 668)),
    ]
    assert read_pdf(pdf(pages))[2] == [
        ("", "header", "Service | Due"),
        ("", "row", "Coast | Keying of all survey sheets of the Council."),
        ("", "paragraph", "Analysis of the trends in them."),
        ("", "row", "Advice | None"),
    ]


def test_a_cell_that_goes_over_several_rows_is_of_the_first():
    rules = b"72 660 228 40 re S 160 700 m 160 660 l S 160 680 m 300 680 l S 230 700 m 230 660 l S"
    lines = [(75, 676, "Cost model"), (163, 687, "May"), (233, 687, "June"), (163, 667, "July"), (233, 667, "August")]
    drawn = b" ".join(b"BT /F 11 Tf %d %d Td (%s) Tj ET" % (x, y, text.encode()) for x, y, text in lines)
    assert texts(pdf([rules + b" " + drawn])) == ["Cost model | May | June", "July | August"]


def test_a_table_may_be_open_at_its_sides_and_text_beside_it_is_no_cell():
    rules = (
        b"72 700 m 300 700 l S 72 680 m 300 680 l S 72 660 m 300 660 l S 160 700 m 160 660 l S 230 700 m 230 660 l S"
    )
    lines = [(75, 687, "Key it"), (152, 687, "R"), (170, 687, "A"), (233, 687, "I"), (75, 667, "Pay"), (233, 667, "R")]
    lines.append((320, 620, "Beside"))
    drawn = b" ".join(b"BT /F 11 Tf %d %d Td (%s) Tj ET" % (x, y, text.encode()) for x, y, text in lines)
    assert texts(pdf([rules + b" " + drawn])) == ["Key it R | A | I", "Pay | R", "Beside"]


def test_a_running_header_in_a_frame_is_left_out():
    pages = [
        b"\n".join([
            table([[[b"Council"], [b"SOW-7"], [b"Page %d of 3" % n]]], (72, 200, 300, 400), (820, 800)),
            b"BT /F 11 Tf 72 500 Td (Key all of the invoices %s) Tj ET" % letter,
        ])
        for n, letter in enumerate((b"of A", b"of B", b"of C"), 1)
    ]  # fmt: skip
    assert [text[:3] for text in texts(pdf(pages))] == ["Key"] * 3


def test_a_frame_around_text_is_no_table_and_an_underline_parts_nothing():
    frame = b"60 600 480 130 re S 72 684 m 300 684 l S"
    lines = [
        "The Supplier shall key invoices of the Council and its schools in the",
        "ledger. It answers calls.",
        "",
        "Draft opinions.",
    ]
    drawn = b" ".join(
        b"BT /F 11 Tf 72 %d Td (%s) Tj ET" % (686 - 14 * i, line.encode()) for i, line in enumerate(lines)
    )
    assert read_pdf(pdf([frame + b" " + drawn]))[2] == [
        ("", "paragraph", f"{lines[0]} {lines[1]}"),
        ("", "paragraph", "Draft opinions."),
    ]


def test_a_paragraph_below_a_table_without_rules_is_none_of_its_cells():
    lines = [
        *((72, 660, 11, "Load trucks"), (200, 660, 11, "R"), (280, 660, 11, "none")),
        (72, 646, 11, "R is who does the work, and all others are told of it in writing."),
    ]
    assert texts(pdf([FULL + lines]))[-2:] == ["Load trucks | R | none", lines[-1][-1]]


def page(n, *lines):
    return [(72, 800, 9, f"Council: scope of work, version {n}"), *lines, (290, 30, 9, f"Page {n} of 3")]


def test_running_headers_page_numbers_and_contents_are_left_out():
    contents = [
        (72, 700, 16, "Contents"),
        (72, 670, 11, f"1 Keying {'.' * 60} 2"),
        (72, 656, 11, f"2 Advice {'.' * 60} 3"),
    ]
    pages = [
        page(1, *contents),
        page(2, (72, 700, 16, "1 Keying"), (72, 670, 11, "Key all invoices that come in by post, and all that are,")),
        page(3, (72, 700, 11, "late or not, due."), (72, 670, 16, "2 Advice"), (72, 640, 11, "Draft opinions.")),
    ]
    found = read_pdf(pdf(pages))
    assert found[0] == 3
    assert found[2] == [
        ("1", "heading", "Keying"),
        ("", "paragraph", "Key all invoices that come in by post, and all that are, late or not, due."),
        ("2", "heading", "Advice"),
        ("", "paragraph", "Draft opinions."),
    ]


def test_a_turned_page_is_read_as_it_is_shown():
    upright = pdf([[(72, 700, 11, "Key invoices."), (72, 600, 11, "Draft opinions.")]])
    texts_at = ((100, b"Key invoices."), (200, b"Draft opinions."))
    turned = pdf([b" ".join(b"BT /F 11 Tf 0 1 -1 0 %d 72 Tm (%s) Tj ET" % line for line in texts_at)])
    turned = turned.replace(b"/MediaBox[0 0 595 842]", b"/Rotate 90/MediaBox[0 0 595 842]")
    assert texts(turned) == texts(upright) == ["Key invoices.", "Draft opinions."]


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_text_is_read_in_its_own_direction_whatever_the_file_says_of_the_page(angle):
    content = pdf([table(*CLOSE)])
    sideways = content.replace(b"/MediaBox[0 0 595 842]", b"/MediaBox[0 0 595 842]/Rotate %d" % angle)
    assert texts(sideways) == texts(content)


PICTURE = stream(b"\x80" * 10_000, b"/Subtype/Image/Width 100/Height 100/ColorSpace/DeviceGray/BitsPerComponent 8")
SCAN = b"q 500 0 0 700 40 70 cm /I Do Q"


def test_scanned_pages_are_named():
    _, remarks, passages = read_pdf(pdf([[(72, 700, 11, "Key invoices.")], SCAN, SCAN], more=[PICTURE]))
    assert (remarks, len(passages)) == (["scanned, and not read: pages 2, 3"], 1)
    with pytest.raises(DataError, match=r"is scanned, without text\. Have its text recognised \(OCR\)"):
        read_pdf(pdf([SCAN], more=[PICTURE]))


def test_scripts_do_not_run_and_attached_files_are_told():
    hostile = (
        b"/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"
        b"/Names<</EmbeddedFiles<</Names[(a.txt)<</Type/Filespec/F(a.txt)/EF<</F 5 0 R>>>>]>>>>"
    )
    _, remarks, passages = read_pdf(pdf([[(72, 700, 11, "Key invoices.")]], catalogue=hostile, more=[stream(b"text")]))
    assert (remarks, len(passages)) == (["1 attached file, not read"], 1)
