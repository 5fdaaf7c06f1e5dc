"""HTML, Markdown and plain text: what is shown, part by part."""

import io
from importlib import import_module

import pytest


def read(module, content, encoding=""):
    """Return (page, number, kind, text) of the passages of a document."""
    raw = content if isinstance(content, bytes) else content.encode()
    answers = import_module(f"outsort.tables.documents.{module}").read(io.BytesIO(raw), encoding)
    return [(p.page, p.number, p.kind, p.text) for p in answers if not isinstance(p, (int, str))]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<p>a<br>b", [("", "paragraph", "a"), ("", "paragraph", "b")]),
        ("<h2>2 Scope<p>3.1 Key <b>inv</b>oices", [("2", "heading", "Scope"), ("3.1", "paragraph", "Key invoices")]),
        ("<h2>§ 4a Scope", [("§ 4a", "heading", "Scope")]),
        ("<ol start=3 type=a><li>x<li><p>y<p>z</ol>", [("c", "item", "x"), ("d", "item", "y"), ("", "paragraph", "z")]),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", [("", "item", "a"), ("", "item", "b"), ("", "item", "c")]),
        ("<table><tr><th>A<th>B<tr><td>1<td><p>2<p>3</table>", [("", "header", "A | B"), ("", "row", "1 | 2 3")]),
        ("<table><tr><td><h1>T</h1><p>x</table>", [("", "heading", "T"), ("", "paragraph", "x")]),
        ("<title>t</title><style>p{}</style><body>a<script>b()</script><nav>c</nav>", [("", "paragraph", "a")]),
        ("a<i hidden>d</i>b<p hidden>c<p>d", [("", "paragraph", "ab"), ("", "paragraph", "d")]),
        ('<p style="display: none">a<p>b', [("", "paragraph", "b")]),
        ("<pre>a\n b</pre>caf&eacute;", [("", "paragraph", "a"), ("", "paragraph", "b"), ("", "paragraph", "café")]),
        ("</div></p></table>a</ol><td>b", [("", "paragraph", "a"), ("", "paragraph", "b")]),
        ("<p><b>Our <i>work</i></b><p><b>Key</b> it", [("", "heading", "Our work"), ("", "paragraph", "Key it")]),
        ("<!-- a -->b", [("", "paragraph", "b")]),
    ],
)  # fmt: skip
def test_a_page_is_read_by_its_tags_closed_or_not(page, found):
    assert [passage[1:] for passage in read("html", page)] == found


@pytest.mark.parametrize(
    "raw",
    [
        "café".encode(),
        b"\xef\xbb\xbfcaf\xc3\xa9",
        "café".encode("utf-16"),
        b"<meta charset=iso-8859-1>caf\xe9",
        b"caf\xe9",
    ],
)
def test_the_encoding_of_a_page_is_found_as_browsers_find_it(raw):
    assert read("html", raw)[0][3] == "café"


def test_the_contents_of_a_page_are_left_out_by_what_they_name():
    page = "<h1>T</h1><h2>Contents</h2><ul><li>1 Scope<li>2 Price</ul><h2>1 Scope</h2><p>a<h2>2 Price</h2><p>b"
    assert [text for *_, text in read("html", page)] == ["T", "Scope", "a", "Price", "b"]


def test_markdown_is_the_page_that_it_stands_for():
    text = "---\ntitle: x\n---\n# Scope\n3.1 Key\ninvoices.\n3.2 File them.\n\n1. one\n2. two\n"
    text += "\n| A | B |\n|--|--|\n| 1 | 2 |\n\n<p>x</p>\n"
    assert [passage[1:] for passage in read("markdown", text)] == [
        ("", "heading", "Scope"),
        ("3.1", "paragraph", "Key invoices."),
        ("3.2", "paragraph", "File them."),
        ("1", "item", "one"),
        ("2", "item", "two"),
        ("", "header", "A | B"),
        ("", "row", "1 | 2"),
        ("", "paragraph", "x"),
    ]


def remarks_of(module, content):
    answers = import_module(f"outsort.tables.documents.{module}").read(io.BytesIO(content.encode()))
    return [answer for answer in answers if isinstance(answer, str)]


@pytest.mark.parametrize(
    "around",
    [
        "<nav>Home</nav>",
        "<footer>Imprint</footer>",
        '<div class="site-nav wide">Home</div>',
        '<div id="cookie-banner"><h2>Cookies</h2></div>',
        '<div role="dialog">We use cookies</div>',
        '<ol class="breadcrumb"><li>Home</ol>',
    ],
)
def test_what_a_site_has_around_its_pages_is_not_read_and_told(around):
    page = f'<body class="nav">{around}<form class="menu"><p>Key invoices.</form>'
    assert [text for *_, text in read("html", page)] == ["Key invoices."]
    assert remarks_of("html", page) == ["menus, cookie notices, footers and the like, not read"]


@pytest.mark.parametrize(
    "page", ["<nav></nav><p>a", '<div class="footer-notes menu-plan"><p>a</div>', "<button>b</button>a"]
)
def test_nothing_is_told_of_what_is_empty_and_like_names_hide_nothing(page):
    assert ([text for *_, text in read("html", page)], remarks_of("html", page)) == (["a"], [])


@pytest.mark.parametrize(
    "work",
    [
        '<section id="social-care"><p>Key it.</section>',
        '<div class="share-point consent-forms"><p>Key it.</div>',
        '<h2 id="menu">Key it.</h2>',
        "<h2><button>Key it.</button></h2>",
        '<ul><li class="menu"><li>Key it.</ul>',
        '<table><tr><td class="nav"><td>Key it.</table>',
        '<ul><li class="menu"></ul><p>Key it.',
    ],
)
def test_work_in_a_page_is_read_that_is_named_or_marked_up_like_what_is_around_it(work):
    assert [text for *_, text in read("html", work)] == ["Key it."]


def test_a_list_of_tasks_in_a_block_of_code_is_read_if_it_is_said_to_be_text():
    assert [text for *_, text in read("markdown", "```text\n- Key invoices\n```\n")] == ["Key invoices"]


def test_text_that_is_struck_out_and_code_are_not_read_and_told():
    text = "- [ ] Key ~~all~~ invoices\n- [x] ~~Paint it~~\n\n```sh\nrm x\n```\n\n    indented text\n"
    assert [passage[2:] for passage in read("markdown", text)] == [
        ("item", "Key invoices"),
        ("paragraph", "indented text"),
    ]
    assert remarks_of("markdown", text) == ["struck-out text, not read", "code, not read"]
    assert remarks_of("html", "<p><del>a</del>b") == ["struck-out text, not read"]


def test_terms_and_what_is_said_of_them_are_rows_and_labels_part_words():
    assert read("html", "<dl><dt>Buyer<dd>Leeds<dt>Lots<dd>2</dl>") == [
        (0, "", "row", "Buyer | Leeds"),
        (0, "", "row", "Lots | 2"),
    ]
    assert [text for *_, text in read("html", "Search<label>in</label><input>All")] == ["Search in All"]


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        ("<th>A<th>B|<td><b>C</b><td><b>D</b>|<td>e<td>f", ["header", "header", "row"]),
        ("<td>Ref<td>Service<td>Unit price (€)|<td>A1<td>Payroll<td>9", ["header", "row"]),
        ("<td>Task<td>Acme<td>IT|<td>Key invoices<td>R<td>I", ["header", "row"]),
        ("<td>Payroll<td>monthly|<td>Audit<td>yearly", ["row", "row"]),
        ("<td>Customer service<td>Leeds|<td>Payroll<td>York", ["row", "row"]),
        ("<td>Payment<td>month|<td>Payroll<td>month", ["row", "row"]),
        ("<td>Reporting<td>month|<td>Payroll<td>month", ["row", "row"]),
        ("<td>Service<td>Payroll|<td>Location<td>Leeds|<td>Start date<td>1 May", ["row", "row", "row"]),
        ("<td>Task<td>Days", ["row"]),
        ("<th>A<th>B|<th>C<th>D", ["row", "row"]),
        ("<th>A<th>B|<th>C<th>D|<th>E<th>F|<td>g<td>h", ["row"] * 4),
        ("<td>Payroll<td>x|<td><b>Total</b><td><b>all</b>", ["row", "row"]),
    ],
)  # fmt: skip
def test_the_rows_that_name_columns_are_headers(rows, kinds):
    page = f"<table>{''.join(f'<tr>{row}' for row in rows.split('|'))}</table>"
    assert [kind for _, _, kind, _ in read("html", page)] == kinds


def test_the_clauses_of_a_cell_are_told_apart_and_a_title_in_it_is_of_nothing_beyond():
    cell = "<p>Keying of all survey sheets.<p><b>Advice</b><p>Analysis of trends in them.<ul><li>Maps</ul>"
    page = f"<table><tr><td>Deliverables<td>{cell}<td>May<tr><td>Address<td><p>4 Quay<p>Leeds<td>x</table>"
    assert [passage[2:] for passage in read("html", page)] == [
        ("row", "Deliverables | Keying of all survey sheets. | May"),
        *(("paragraph", "Advice"), ("paragraph", "Analysis of trends in them."), ("item", "Maps")),
        ("row", "Address | 4 Quay Leeds | x"),
    ]


def test_pages_of_plain_text_are_parted_by_form_feeds():
    pages = [f"COUNCIL\n\n{n}. Part\n\nKey the invoices of the {n}th\n\n\n\n- {n} -" for n in range(1, 4)]
    assert read("plain", "\f".join(pages))[:3] == [
        (1, "1", "heading", "Part"),
        (1, "", "paragraph", "Key the invoices of the 1th"),
        (2, "2", "heading", "Part"),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Scope\n=====\na.", [("heading", "Scope"), ("paragraph", "a.")]),
        ("\u2022 a\n\u2022 b\n  * c", [("item", "a"), ("item", "b"), ("item", "c")]),
        ("A\t1\nB\t2", [("row", "A | 1"), ("row", "B | 2")]),
        ("+---+---+\n| A | 1 |\n+---+---+", [("row", "A | 1")]),
        ("WORK\nKey it.", [("heading", "WORK"), ("paragraph", "Key it.")]),
        ("1. WORK\n   Key it.", [("heading", "WORK"), ("paragraph", "Key it.")]),
        ("1. WORK\n1.1 Key it.", [("heading", "WORK"), ("paragraph", "Key it.")]),
        ("- CRM\n- Key it", [("item", "CRM"), ("item", "Key it")]),
        ("1. CRM\n2. Key it", [("paragraph", "CRM"), ("paragraph", "Key it")]),
        ("+-+-+\n|A|B|\n|C| |\n+-+-+\n|E|F|", [("row", "A | B"), ("paragraph", "C"), ("row", "E | F")]),
        ("KEY IT\nPAY IT", [("paragraph", "KEY IT"), ("paragraph", "PAY IT")]),
        ("- years of\n  work\n- Pay", [("item", "years of work"), ("item", "Pay")]),
        ("2.1 Key all\n    bills\nand pay", [("paragraph", "Key all bills"), ("paragraph", "and pay")]),
        ("Lot   Due\n---   ---\nA   B", [("header", "Lot | Due"), ("row", "A | B")]),
        ("+-+-+\n|A|B|\n+-+-+\n|C|D|\n+-+-+\n|E|F|", [("header", "A | B"), ("row", "C | D"), ("row", "E | F")]),
        ("> - key it\n> - pay it\nYes.", [("item", "key it"), ("item", "pay it"), ("paragraph", "Yes.")]),
        ("> 500 bills\n> 20 calls", [("paragraph", "> 500 bills"), ("paragraph", "> 20 calls")]),
        ("Key it.\n   Page 3 of 9\nPay it.", [("paragraph", "Key it."), ("paragraph", "Pay it.")]),
        ("One.\r\nTwo.\rThree.", [("paragraph", "One."), ("paragraph", "Two."), ("paragraph", "Three.")]),
    ],
)
def test_plain_text_is_read_by_its_lines(text, found):
    assert [passage[2:] for passage in read("plain", text)] == found
