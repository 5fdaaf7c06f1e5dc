import itertools
import unicodedata

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
