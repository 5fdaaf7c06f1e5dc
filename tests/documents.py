"""Documents that tests build themselves: a scope of work as HTML, Word, Markdown, plain text and PDF."""

import html
import io
import random
import textwrap
import zipfile
import zlib
from typing import NamedTuple

HEADINGS = ["Background", "Scope of the services", "Customer contact", "Charges and payment", "General"]
SENTENCES = [
    "The Supplier shall register each supplier invoice within one working day of receipt.",
    "Approx. 300 calls a day are expected in winter, and twice as many when council tax bills go out to residents.",
    "Exceptions are sent to the budget holder named in Schedule 2.",
    "Reconcile bank statements with the general ledger every day, and clear all differences within a week.",
    "Advise on changes in tax law that affect the payroll.",
    "Neither party may assign this agreement without the prior written consent of the other, which shall not be "
    "unreasonably withheld or delayed.",
    "Payment is made within 30 days of a valid invoice.",
    "Design the user research for the new portal, carry out interviews and write up the findings.",
    "It also covers requests under the Freedom of Information Act 2000.",
]
ITEMS = [
    "scanning of incoming post",
    "keying of new starters, leavers and changes to pay, including those that arrive after the cut-off date of a month "
    "and have to be paid by a separate run",
    "first-line help desk for employees and managers;",
    "interpretation of case law; and",
]
TABLE = [
    ["Service line", "Volume", "Service level"],
    ["Payroll processing for all employees of the Council and its maintained schools", "4,200 a month", "99.5 %"],
    ["Invoice processing", "60,000 a year", "2 working days"],
    ["Legal research", "40 memos a year", "as agreed in each instruction, at the latest 10 working days after it"],
]


class Part(NamedTuple):
    """A part of a scope: its kind (heading, clause, letter, paragraph, bullet, table), its number, and what it says."""

    kind: str
    number: str
    content: list


def scope(seed):
    """Return the parts of a scope of work, with numbered clauses or with bullets."""
    rng = random.Random(seed)
    parts = [Part("title", "", [f"Statement of work {seed}"])]
    for n, heading in enumerate(HEADINGS, 1):
        parts.append(Part("heading", str(n), [heading]))
        for m in range(1, rng.randint(3, 6)):
            sentences = rng.sample(SENTENCES, rng.randint(1, 3))
            parts.append(Part("clause", f"{n}.{m}", sentences) if seed % 2 else Part("paragraph", "", sentences))
        kind = "letter" if seed % 2 else "bullet"
        parts += [
            Part(kind, f"({'abc'[i]})" * (kind == "letter"), [item]) for i, item in enumerate(rng.sample(ITEMS, 3))
        ]
        if n == 3:
            parts.append(Part("table", "", TABLE))
    return parts


def clauses_of(parts):
    """Return the clauses of a scope in order."""
    found = []
    for part in parts:
        found += [" | ".join(row) for row in part.content] if part.kind == "table" else part.content
    return found


def html_of(parts, style="", *, with_contents=True):
    """Return a scope as a web page."""
    contents = "".join(f"<li>{part.number} {part.content[0]}</li>" for part in parts if part.kind == "heading")
    body = [f"<h2>Contents</h2><ul>{contents}</ul>"] if with_contents else []
    for part in parts:
        texts = [html.escape(text) for text in part.content] if part.kind != "table" else []
        text = f"{part.number} {' '.join(texts)}".strip()
        if part.kind == "table":
            body.append(f"<table>{''.join(map(_html_row, part.content))}</table>")
        elif part.kind == "bullet":
            body.append(f"<ul><li>{text}</li></ul>")
        else:
            tag = {"title": "h1", "heading": "h2"}.get(part.kind, "p")
            body.append(f"<{tag}>{text}</{tag}>")
    # The title comes before the table of contents.
    body = [body[1], body[0], *body[2:]] if with_contents else body
    style = "table{border-collapse:collapse}td,th{border:1px solid;padding:4px}" + style
    page = f"<meta charset=utf-8><title>x</title><style>{style}</style><body>{''.join(body)}"
    return f"<!DOCTYPE html><html lang=en>{page}</body></html>"


def _html_row(cells):
    tag = "th" if cells == TABLE[0] else "td"
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def markdown_of(parts):
    """Return a scope in Markdown."""
    lines = []
    for part in parts:
        text = f"{part.number} {' '.join(part.content)}".strip() if part.kind != "table" else ""
        if part.kind == "table":
            rows = ["| " + " | ".join(row) + " |" for row in part.content]
            lines += ["", rows[0], "|---|---|---|", *rows[1:], ""]
        elif part.kind == "bullet":
            lines.append(f"- {text}")
        else:
            lines += ["", {"title": "# ", "heading": "## "}.get(part.kind, "") + text]
    return "\n".join(lines)


def plain_of(parts, width=80):
    """Return a scope as plain text of wrapped lines."""
    lines = []
    for part in parts:
        if part.kind == "table":
            lines += ["", *(" | ".join(row) for row in part.content)]
            continue
        mark = "- " if part.kind == "bullet" else f"{part.number} " * bool(part.number)
        text = mark + " ".join(part.content)
        lines += ["", *textwrap.wrap(text.upper() if part.kind == "title" else text, width)]
    return "\n".join(lines)


# --- Word ------------------------------------------------------------------------------------------------

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_P = "http://schemas.openxmlformats.org/package/2006"
_STYLES = {
    "Title": '<w:name w:val="Title"/><w:rPr><w:sz w:val="40"/></w:rPr>',
    "Heading1": '<w:name w:val="heading 1"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr>'
    '<w:rPr><w:b/><w:sz w:val="28"/></w:rPr>',
    "TOC1": '<w:name w:val="toc 1"/><w:pPr><w:tabs><w:tab w:val="right" w:leader="dot" w:pos="9000"/></w:tabs></w:pPr>',
}
_LEVELS = [[("decimal", "%1"), ("decimal", "%1.%2"), ("lowerLetter", "(%3)")], [("bullet", "•")]]
#: The list and the level of the parts that Word numbers by itself.
_LISTS = {"heading": (1, 0), "clause": (1, 1), "letter": (1, 2), "bullet": (2, 0)}


def paragraph(text, style="", numbered=None):
    """Return the XML of a paragraph; `numbered` is its list and its level."""
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if numbered:
        properties += f'<w:numPr><w:ilvl w:val="{numbered[1]}"/><w:numId w:val="{numbered[0]}"/></w:numPr>'
    runs = "<w:r><w:tab/></w:r>".join(f"<w:r><w:t>{html.escape(run)}</w:t></w:r>" for run in text.split("\t"))
    return f"<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>"


def docx_of(parts, *, automatic=False):
    """Return a scope as a Word document, its numbers typed or `automatic`, with a running header and footer."""
    toc = [f"{part.number} {part.content[0]}\t{part.number}" for part in parts if part.kind == "heading"]
    body = [paragraph(parts[0].content[0], "Title"), paragraph("Contents"), *(paragraph(line, "TOC1") for line in toc)]
    for part in parts[1:]:
        style = "Heading1" if part.kind == "heading" else ""
        if part.kind == "table":
            body.append(_word_table(part.content))
        elif automatic or part.kind == "bullet":
            body.append(paragraph(" ".join(part.content), style, _LISTS.get(part.kind)))
        else:
            body.append(paragraph("\t".join(filter(None, [part.number, " ".join(part.content)])), style))
    return docx("".join(body))


def _word_table(rows):
    lines = "".join(
        f'<w:{side} w:val="single" w:sz="4"/>' for side in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    cells = [
        "".join(f'<w:tc><w:tcPr><w:tcW w:w="3000" w:type="dxa"/></w:tcPr>{paragraph(cell)}</w:tc>' for cell in row)
        for row in rows
    ]
    head = "<w:trPr><w:tblHeader/></w:trPr>"
    trs = "".join(f"<w:tr>{head * (i == 0)}{row}</w:tr>" for i, row in enumerate(cells))
    grid = '<w:gridCol w:w="3000"/>' * 3
    return f"<w:tbl><w:tblPr><w:tblBorders>{lines}</w:tblBorders></w:tblPr><w:tblGrid>{grid}</w:tblGrid>{trs}</w:tbl>"


def docx(body, **more):
    """Return a Word document of some XML; `more` are other parts, without their folder and suffix."""
    running = (
        f'<w:{name}Reference w:type="default" r:id="{key}"/>' for name, key in (("header", "rId3"), ("footer", "rId4"))
    )
    section = f"<w:sectPr>{''.join(running)}</w:sectPr>"
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{name}">{content}</w:style>' for name, content in _STYLES.items()
    )
    lists = "".join(
        f'<w:abstractNum w:abstractNumId="{i}">{"".join(map(_level, range(9), levels))}</w:abstractNum>'
        for i, levels in enumerate(_LEVELS)
    )
    numbers = "".join(f'<w:num w:numId="{i}"><w:abstractNumId w:val="{i - 1}"/></w:num>' for i in (1, 2))
    page = '<w:fldSimple w:instr="PAGE"><w:r><w:t>1</w:t></w:r></w:fldSimple>'
    parts = {
        "document": f'<w:document {W} xmlns:r="{_R}"><w:body>{body}{section}</w:body></w:document>',
        "styles": f'<w:styles {W}><w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/>'
        f'<w:pPr><w:spacing w:after="120"/></w:pPr><w:rPr><w:sz w:val="22"/></w:rPr></w:style>{styles}</w:styles>',
        "numbering": f"<w:numbering {W}>{lists}{numbers}</w:numbering>",
        "header1": f"<w:hdr {W}>{paragraph('Statement of work, draft 3')}</w:hdr>",
        "footer1": f"<w:ftr {W}><w:p><w:r><w:t>Page </w:t></w:r>{page}</w:p></w:ftr>",
    } | more
    kinds = {"document": "document.main", "header1": "header", "footer1": "footer"}
    media = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    types = "".join(
        f'<Override PartName="/word/{name}.xml" ContentType="{media}.{kinds.get(name, name)}+xml"/>' for name in parts
    )
    relations = "".join(
        f'<Relationship Id="rId{i}" Type="{_R}/{name.rstrip("1")}" Target="{name}.xml"/>'
        for i, name in enumerate(["styles", "numbering", "header1", "footer1"], 1)
    )
    xml = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    main = f'<Relationship Id="rId1" Type="{_R}/officeDocument" Target="word/document.xml"/>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_P}/content-types">{xml}{types}</Types>')
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{_P}/relationships">{main}</Relationships>')
        archive.writestr(
            "word/_rels/document.xml.rels", f'<Relationships xmlns="{_P}/relationships">{relations}</Relationships>'
        )
        for name, content in parts.items():
            archive.writestr(f"word/{name}.xml", content)
    return out.getvalue()


def _level(place, level):
    style, text = level
    indent = f'<w:pPr><w:ind w:left="{567 * (place + 1)}" w:hanging="567"/></w:pPr>'
    marks = f'<w:start w:val="1"/><w:numFmt w:val="{style}"/><w:lvlText w:val="{text}"/>'
    return f'<w:lvl w:ilvl="{place}">{marks}{indent}</w:lvl>'


# --- PDF -------------------------------------------------------------------------------------------------


def pdf_file(objects, trailer=b""):
    """Return a PDF of some objects, the first one its catalogue."""
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (len(objects) + 1, table, end)


def stream(content, more=b""):
    """Return a packed stream as an object of a PDF."""
    packed = zlib.compress(content)
    return b"<</Filter/FlateDecode/Length %d%s>>stream\n%s\nendstream" % (len(packed), more, packed)


def pdf(pages, *, catalogue=b"", more=(), trailer=b""):
    """Return a PDF of pages, each a list of (x, y, size, text), or the bytes that draw it; text in bold begins with *.

    Args:
        catalogue: what else is in its catalogue.
        more: other objects; the first one has the number 5, and is a picture called I.
        trailer: what else is in its trailer.
    """
    more = list(more) or [b"null"]
    first = 5 + len(more)
    kids = b" ".join(b"%d 0 R" % (first + 2 * i) for i in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalogue,
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), kids),
        *(
            b"<</Type/Font/Subtype/Type1/Encoding/WinAnsiEncoding/BaseFont/Helvetica%s>>" % bold
            for bold in (b"", b"-Bold")
        ),
        *more,
    ]
    resources = b"<</Font<</F 3 0 R/B 4 0 R>>/XObject<</I 5 0 R>>>>"
    for i, page in enumerate(pages):
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources%s/Contents %d 0 R>>"
            % (resources, first + 2 * i + 1),
            stream(page if isinstance(page, bytes) else b"\n".join(map(_drawn, page))),
        ]
    return pdf_file(objects, trailer)


def _drawn(line):
    x, y, size, text = line
    font = b"/B" if text.startswith("*") else b"/F"
    raw = text.removeprefix("*").encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return b"BT %s %g Tf %g %g Td (%s) Tj ET" % (font, size, x, y, raw)


#: Of a page its top, bottom and left edge, the characters of a line, and where columns of a table are, and how wide.
_TOP, _BOTTOM, _LEFT, _WIDTH = 740, 80, 60, 78
_COLUMNS = ((60, 30), (260, 16), (380, 26))


def pdf_of(parts, **options):
    """Return a scope as a PDF in Courier, whose widths are known, with a running header and numbers of pages."""
    pages, y = [[]], _TOP
    for part in parts:
        for row in part.content if part.kind == "table" else [None]:
            lines = _lines_of(part, row)
            height = 12 * (1 + max(n for n, *_ in lines))
            if y - height < _BOTTOM:
                pages.append([])
                y = _TOP
            size = 14 if part.kind in ("title", "heading") else 10
            pages[-1] += [(x, y - 12 * n, size, text) for n, x, text in lines]
            y -= height + 8
    for number, page in enumerate(pages, 1):
        page += [(_LEFT, 800, 10, "Statement of work, draft 3"), (280, 40, 10, f"Page {number}")]
    return pdf(pages, **options).replace(b"/BaseFont/Helvetica", b"/BaseFont/Courier")


def _lines_of(part, row):
    """Return the lines of a part, or of a row of its table: each with its number, its left edge and its text."""
    if row:
        cells = ((x, textwrap.wrap(cell, width)) for (x, width), cell in zip(_COLUMNS, row, strict=True))
        return [(n, x, line) for x, cell in cells for n, line in enumerate(cell)]
    mark = "\u2022 " if part.kind == "bullet" else f"{part.number} " * bool(part.number)
    bold = "*" * (part.kind in ("title", "heading"))
    lines = textwrap.wrap(mark + " ".join(part.content), _WIDTH, break_on_hyphens=False)
    return [(n, _LEFT, bold + line) for n, line in enumerate(lines)]
