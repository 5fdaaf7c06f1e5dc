import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outsort import text


def test_terms_are_words_then_pairs_then_pieces():
    assert list(text.terms("Tax VAT")) == [
        *("tax", "vat", "tax vat"),
        *("~<ta", "~tax", "~ax>", "~<tax", "~tax>", "~<tax>"),
        *("~<va", "~vat", "~at>", "~<vat", "~vat>", "~<vat>"),
    ]


def test_a_word_of_one_letter_has_one_piece():
    assert list(text.terms("C")) == ["c", "~<c>"]


def test_punctuation_and_white_space_separate_words_and_are_no_terms():
    assert text.words(" PO-entry;\tin\r\nSAP!! ") == ["po", "entry", "in", "sap"]
    assert list(text.terms("?! ... --")) == []


def test_an_underscore_is_a_letter():
    assert text.words("data_entry, _x_ __ e-mail") == ["data_entry", "_x_", "__", "e", "mail"]


@given(st.text() | st.text("aZ_9 -.é翻"))
def test_words_are_the_runs_of_letters_digits_and_underscores(any_text):
    # The oracle: Python's own idea of a letter or digit, character by character.
    normal = unicodedata.normalize("NFKC", any_text).lower()
    runs = itertools.groupby(normal, lambda c: c.isalnum() or c == "_")
    words = ["".join(run) for within, run in runs if within]
    assert text.words(any_text) == [word[i : i + 64] for word in words for i in range(0, len(word), 64)]


def test_compatible_forms_are_the_same_word():
    assert text.words("ＰＤＦ ﬁles №5") == ["pdf", "files", "no5"]


def test_composed_and_decomposed_accents_are_the_same_word():
    assert text.words(unicodedata.normalize("NFD", "résumé")) == text.words("résumé")


def test_scripts_without_case_or_spaces_have_words():
    assert text.words("翻訳 данные ترجمة") == ["翻訳", "данные", "ترجمة"]


def test_a_long_run_of_letters_is_cut_so_that_no_word_grows_without_bound():
    assert [len(word) for word in text.words("x" * 150)] == [64, 64, 22]


@given(st.text())
def test_any_text_gives_terms_that_no_newline_stands_in(any_text):
    # The model file keeps its terms one a line.
    assert not any("\n" in term or not term for term in text.terms(any_text))


@given(st.text(), st.sampled_from(["", " ", "\n", "\r\n", "\t "]))
def test_white_space_around_a_text_changes_nothing(any_text, space):
    assert list(text.terms(space + any_text + space)) == list(text.terms(any_text))


@given(st.text())
def test_the_counts_of_terms_follow_from_the_words(any_text):
    words = text.words(any_text)
    expected = len(words) + max(0, len(words) - 1)
    expected += sum(max(0, len(word) + 3 - length) for word in words for length in (3, 4, 5))
    assert len(list(text.terms(any_text))) == expected


@given(st.text())
def test_every_word_is_found_where_it_stands(any_text):
    for word, (start, end) in zip(text.words(any_text), text.spans(any_text), strict=True):
        assert 0 <= start < end <= len(any_text)
        # The lower case of a sigma depends on its neighbours.
        stretch = "".join(text.words(any_text[start:end])).replace("ς", "σ")
        assert word.replace("ς", "σ") in stretch or len(word) == 64


def test_a_long_run_of_marks_is_placed_in_time():
    assert text.spans("e" + "\u0301" * 100_000 + " x")[-1] == (100_002, 100_003)


#: What clauses are made of and end with.
parts_of_clauses = st.one_of(
    st.sampled_from(
        [*".!?\"')([*-•·", "\n", "\r\n", "\u2028", "\x1c", " ", ". ", " - ", "\n\n", "e.g.", "1.", "Co.", "A"]
    ),
    st.sampled_from(["key invoices", "Draft a contract", "翻訳", "naïve"]),
    st.text(max_size=4),
)
long_texts = st.lists(parts_of_clauses, max_size=40).map("".join)


def clauses_of(any_text):
    return [any_text[start:end] for start, end in text.clauses(any_text)]


@given(st.one_of(st.text(), long_texts))
def test_clauses_cover_the_text_and_each_of_several_holds_a_word(any_text):
    found = clauses_of(any_text)
    assert "".join(found) == any_text
    assert len(found) == 1 or all(any(c.isalnum() or c == "_" for c in clause) for clause in found)


@given(
    st.text(st.characters(max_codepoint=127)) | st.lists(st.sampled_from(["a. B", "x" * 70, "\n", " "])).map("".join)
)
def test_the_words_of_the_clauses_are_those_of_the_text(any_text):
    assert [word for clause in clauses_of(any_text) for word in text.words(clause)] == text.words(any_text)


@given(long_texts)
def test_no_clause_has_more_words_than_it_may(any_text):
    # Words in the text as it stands: normalisation can make two of one.
    assert all(len(text._WORD.findall(clause)) <= text.MAX_WORDS for clause in clauses_of(any_text))


def test_a_line_ends_where_python_says_that_it_does():
    for code in range(0x3000):
        line = f"a{chr(code)}b"
        assert len(clauses_of(line)) == len(line.splitlines()), hex(code)


@pytest.mark.parametrize(
    "clauses",
    [
        ["Key the invoices.", " Audit the ledger!", " Is it right?", " yes"],
        ["Key the invoices.\n", "Audit the ledger\r\n", "\n Draft it"],
        ["He said (in short.)", " Draft it"],
        ['"Draft it."', " Sign it"],
        ["Wait...", " Then draft it"],
        ["We need:", "\n- a nurse", "\n- a cleaner", "\n* a cook"],
        ["We need •", " a nurse •", " a cook"],
    ],
)
def test_sentences_lines_and_items_are_clauses(clauses):
    whole = "".join(clauses)
    assert [clause.strip("\n\r •") for clause in clauses_of(whole)] == [c.strip("\n\r •") for c in clauses]


@pytest.mark.parametrize(
    "one",
    [
        "Approx. 500 invoices a day",
        "Work for Acme Co. London, Mr. Smith",
        "J. Smith and A. B. Jones",
        "12. Key the invoices",
        "in 3.5 days at example.com by e.g. Friday",
        "the end. of a sentence begins with a capital",
        "data-entry - a list - of parts",
        "Yes!No?Maybe.So",
        "... !!! Draft it",
        "Draft it. !!! ...",
        "\n\nDraft it\n\n",
        "",
        " \n. \n",
    ],
)
def test_what_ends_no_sentence_is_one_clause(one):
    assert clauses_of(one) == [one]


def test_a_text_without_ends_is_cut_by_words():
    found = clauses_of("word " * 50)
    assert [len(text.words(clause)) for clause in found] == [20, 20, 10]


def test_the_clauses_of_a_text_are_bounded_and_the_last_has_the_rest():
    lines = [f"line {i}" for i in range(5_000)]
    found = clauses_of("\n".join(lines))
    assert len(found) == text.MAX_CLAUSES
    assert found[-1].split("\n") == lines[text.MAX_CLAUSES - 1 :]


@pytest.mark.parametrize(
    "part",
    [".", ". ", "a. ", "A. ", "\n", "a\n", " ", "a.  ", "•", " • ", "\"')", "x", "_ ", "1. ", "e\u0301.", ".a A"],
)
def test_hostile_texts_are_cut_in_time(part):
    # A search that began again at each mark would take hours.
    whole = "First. " + part * 100_000 + " Last"
    assert "".join(clauses_of(whole)) == whole
