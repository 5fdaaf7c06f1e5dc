"""Tables that fit: at any width every cell is there whole, figures and labels in one piece."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style

from outsort.reporting.layout import COLOURS, LEAST_TEXT, PLAIN, STYLES, folded, table, write_tables
from outsort.reporting.terminal import rows_table

WORDS = st.text(st.characters(categories=["Lu", "Ll", "Nd", "Lo"]), min_size=1, max_size=30)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
NAMES = st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=4).map("_".join)
FIGURES = st.one_of(st.floats(-99, 99).map("{:.3f}".format), st.integers(0, 10**7).map("{:,}".format))


def shown(item, width):
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(item)
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert all(cell_len(line) <= width for line in lines)
    return "\n".join(lines)


def squeezed(text):
    return re.sub(r"\s", "", text)


@given(st.data(), st.integers(1, 6), st.booleans(), st.integers(40, 140))
def test_no_figure_is_cut_and_nothing_is_lost(data, n_figures, has_text, width):
    rows = data.draw(
        st.lists(st.tuples(TEXTS if has_text else NAMES, NAMES, *[FIGURES] * n_figures), min_size=1, max_size=4)
    )
    heads = ["text", "name", *(f"figure {i}" for i in range(n_figures))]
    text = shown(table(heads, rows, right=range(2, n_figures + 2), wrap=[0] if has_text else []), width)
    assert "…" not in text
    figures = re.findall(r"(?<![^\s])-?[\d,]+(?:\.\d+)?(?![^\s])", text)
    for row in rows:
        assert [figure for figure in row[2:] if figure not in figures] == []
    # Of the texts every character is there, folded or not.
    for row in rows:
        for cell in row[:2]:
            left = iter(squeezed(text))
            assert all(character in left for character in squeezed(cell))


@given(TEXTS, st.integers(2, 60))
def test_a_folded_text_has_the_same_words_in_lines_that_fit(text, width):
    lines = list(folded(text, width))
    assert squeezed("".join(lines)) == squeezed(text)
    assert all(cell_len(line) <= width for line in lines)


def test_a_name_is_folded_after_a_mark_and_a_negative_figure_never():
    assert list(folded("cleaning_and_facilities", 13)) == ["cleaning_and_", "facilities"]
    assert list(folded("gain -0.95", 6)) == ["gain", "-0.95"]
    assert list(folded("NEITHER\N{NO-BREAK SPACE}0.94, BPO\N{NO-BREAK SPACE}0.06", 14)) == ["NEITHER 0.94,", "BPO 0.06"]


ANSWER = (
    ["row", "text", "actual", "probability", "top terms"],
    [["7", "key the invoices of forty suppliers into the ledger", "BPO", "0.912", "ledger, invoices, suppliers"]],
)


def answer(width, **options):
    return shown(table(*ANSWER, right=[0, 3], wrap=[1, 4], **options), width)


def test_first_texts_fold_then_columns_are_left_out_then_rows_are_blocks():
    assert "ledger, invoices, suppliers" in answer(120).splitlines()[3]
    assert "top terms" in answer(80, spare=[4]), "it still fits"
    without = answer(60, spare=[4])
    assert "top terms" not in without
    assert "0.912" in without
    assert answer(60).splitlines() == [
        *("", "key the invoices of forty suppliers into the ledger"),
        *("  row: 7   actual: BPO   probability: 0.912", "  top terms: ledger, invoices, suppliers"),
    ]


def test_a_text_is_never_narrower_than_can_be_read():
    for width in range(40, 120):
        first = next(line for line in answer(width, spare=[4]).splitlines() if "key the" in line)
        assert len(re.search(r"key the.*?(?=  |$)", first)[0]) > LEAST_TEXT - len("suppliers ")


def test_many_figures_are_shown_a_few_columns_at_a_time_each_after_the_name():
    heads = ["group", *(f"metric{i}" for i in range(9))]
    text = shown(table(heads, [["catalogue", *["0.123"] * 9], ["post", *["1.000"] * 9]], right=range(1, 10)), 40)
    assert text.count("catalogue") == text.count("post") == 3
    assert text.count("0.123") == text.count("1.000") == 9


def test_cells_and_names_are_no_markup_and_hold_no_control_characters():
    text = shown(table(["[b]x[/b]", "n"], [["[red]a[/red]\x1b[31m\n:smile:", "1"]]), 80)
    assert "[red]a[/red] [31m :smile:" in text
    assert "[b]x[/b]" in text
    file = io.StringIO()
    write_tables(file, ["[b]x[/b] :smile: " + "long " * 40])
    assert file.getvalue() == "[b]x[/b] :smile: " + " ".join(["long"] * 40) + "\n"


def test_a_line_is_folded_on_a_terminal_alone():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    file, on_terminal = io.StringIO(), Terminal()
    for out in (file, on_terminal):
        write_tables(out, ["one\ntwo BPO\N{NO-BREAK SPACE}0.50 " + "word " * 60])
    assert file.getvalue() == "one\ntwo BPO 0.50 " + " ".join(["word"] * 60) + "\n"
    assert on_terminal.getvalue().split() == file.getvalue().split()
    assert len(on_terminal.getvalue().splitlines()) > 2


def luminance(colour):
    """The relative luminance of WCAG 2.2."""
    parts = [c / 255 for c in colour.get_truecolor()]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", [*COLOURS, *(name for name in STYLES if Style.parse(STYLES[name]).color)])
def test_colours_are_readable_on_black_and_on_white(name):
    style = Style.parse((COLOURS | STYLES)[name])
    grounds = [style.bgcolor] if style.bgcolor else [Color.parse("#000000"), Color.parse("#ffffff")]
    assert [contrast(style.color, ground) >= 4.5 for ground in grounds] == [True] * len(grounds)
    # A palette of 256 has this very colour, while the first 16 are whatever their owner chose.
    assert style.color.number >= 16


def test_without_colours_for_and_against_still_differ():
    assert all(Style.parse(style).color is None for style in PLAIN.values())
    assert PLAIN.keys() == COLOURS.keys()
    assert not {PLAIN[name] for name in PLAIN if name.startswith("for")} & {
        PLAIN[name] for name in PLAIN if name.startswith("against")
    }


def test_rows_are_written_with_their_own_weights_unless_all_are_1():
    weighted = rows_table([(2, 1.0), (7, 1234.5), (9, 0.0)], ["text"], [["a"], ["b"], ["c"]], wrap=[0])
    assert list(weighted.columns) == ["row", "weight", "text"]
    assert [list(row) for row in weighted.rows] == [["2", "1", "a"], ["7", "1,234.5", "b"], ["9", "0", "c"]]
    alike = rows_table([(2, 1.0), (7, 1.0)], ["text"], [["a"], ["b"]], wrap=[0])
    assert list(alike.columns) == ["row", "text"]
    assert [list(row) for row in alike.rows] == [["2", "a"], ["7", "b"]]
