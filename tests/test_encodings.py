"""Text in many languages and encodings comes back as it was, or is refused; it is never taken for other letters.

The oracle is the text that was encoded.
"""

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outsort.encodings import GUESSED, decode, detect
from outsort.errors import DataError

#: Descriptions of work in twelve languages.
TEXTS = {
    "English": ["The owner’s “new look” for £500", "Café menu design – twelve pages", "Keep store below 12 °C"],
    "French": ["Étude de marché et analyse détaillée", "Réponse aux clients à l'étranger", "Paie et congés payés"],
    "German": ["Prüfung größerer Aufträge", "Übersetzung für Behörden", "Löhne der Beschäftigten prüfen"],
    "Spanish": ["Análisis económico del túnel", "Atención en español", "Nóminas y traducción jurídica del año"],
    "Polish": ["Wprowadzanie faktur dostawców do księgi", "Sporządzanie listy płac", "Tłumaczenie świadectw"],
    "Czech": ["Zadávání faktur do účetnictví", "Vyřizování dotazů zákazníků", "Překlad smluv a příruček"],
    "Turkish": ["Faturaların deftere girilmesi", "Müşterilerin yanıtlanması", "Sözleşmelerin çevirisi değerlendirildi"],
    "Russian": ["Ввод счетов в бухгалтерскую книгу", "Оценка влияния тоннеля", "Ответы на вопросы клиентов"],
    "Ukrainian": ["Введення рахунків до книги", "Оцінка впливу тунелю на місто", "Відповіді на запитання клієнтів"],
    "Greek": ["Καταχώριση τιμολογίων προμηθευτών", "Τηλεφωνική εξυπηρέτηση πελατών", "Μετάφραση συμβάσεων"],
    "Japanese": ["仕入先の請求書を元帳に入力する", "電話でのお客様対応", "契約書とマニュアルの翻訳"],
    "Chinese": ["将供应商发票录入总账", "通过电话回答客户的问题", "为全体员工编制每月工资表"],
}
#: Encodings that spreadsheets, databases and older programs write.
ENCODINGS = [
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"),
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1257", "iso8859-2", "iso8859-5", "iso8859-9", "iso8859-15"),
    *("koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp437", "cp850", "cp852", "cp866"),
    *("shift_jis", "euc_jp", "iso2022_jp", "gb18030", "gbk", "big5"),
]
HINT = "Name it with --encoding: worth trying are "


def read_back(raw):
    """Return the text that some bytes are taken for, or None if they are refused."""
    try:
        found = detect(io.BytesIO(raw), "in.csv")
        return raw.decode(found.encoding)
    except DataError as error:
        is_helpful = HINT in str(error)
        return None if is_helpful else str(error)
    except UnicodeDecodeError:
        # UTF-8 with faults: each is named with its row.
        return None if found.encoding == "utf-8" else str(found)


def tables(n_texts):
    """Yield a language, an encoding, a table of so many texts, and its bytes, wherever they can be written so."""
    for language, texts in TEXTS.items():
        for chosen, encoding in itertools.product(itertools.combinations(texts, n_texts), ENCODINGS):
            table = "ref,description,note\n" + "".join(f"{i},{text},paid\n" for i, text in enumerate(chosen))
            try:
                raw = table.encode(encoding)
            except UnicodeEncodeError:
                continue
            if table.isascii() or raw.decode(encoding) != table:
                continue
            yield language, encoding, table, raw


@pytest.mark.slow
@pytest.mark.parametrize(("n_texts", "n_right", "n_refused"), [(1, 320, 130), (3, 125, 20)])
def test_text_is_right_or_refused_in_every_language_and_encoding(n_texts, n_right, n_refused):
    outcomes = [(read_back(raw), table) for _, _, table, raw in tables(n_texts)]
    assert [(got, table) for got, table in outcomes if got not in (None, table)] == []
    right = sum(got == table for got, table in outcomes)
    assert right >= n_right, f"{right} right of {len(outcomes)}"
    assert len(outcomes) - right <= n_refused, f"{len(outcomes) - right} refused of {len(outcomes)}"


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        *(("Russian", "cp1251"), ("Russian", "koi8-r"), ("Ukrainian", "cp1251"), ("Greek", "cp1253")),
        *(("Japanese", "shift_jis"), ("Japanese", "euc_jp"), ("Japanese", "iso2022_jp"), ("Chinese", "gbk")),
        *(("French", "cp1252"), ("German", "cp1252"), ("Spanish", "cp1252"), ("English", "cp1252")),
        *(("Polish", "cp1250"), ("Czech", "cp1250"), ("Turkish", "cp1254")),
    ],
)
def test_the_usual_encoding_of_a_language_is_told_from_three_rows(language, encoding):
    raw = "\n".join(["ref,description", *(f"1,{text}" for text in TEXTS[language])]).encode(encoding)
    assert read_back(raw) == raw.decode(encoding)


@pytest.mark.parametrize(("text", "encoding"), [("Büro", "cp1252"), ("café", "cp1252"), ("Ввод счетов", "cp1251")])
@pytest.mark.parametrize("n_rows", [2000, 60_000])
def test_all_of_a_file_decides_and_not_its_beginning(text, encoding, n_rows):
    raw = b"ref,description\n" + b"1,Type supplier invoices\n" * n_rows + f"2,{text} invoices\n".encode(encoding)
    found = detect(io.BytesIO(raw), "in.csv")
    assert (found.encoding, found.is_guess) == (encoding, True)
    assert found.note.startswith(f"read as {encoding}, because it is not UTF-8. If letters look wrong, name its --enc")


def test_a_byte_far_down_that_the_encoding_lacks_undoes_the_guess():
    rows = "1,Übersetzung für Behörden\n".encode("cp1252")
    raw = b"ref,description\n" + rows * 40_000
    assert detect(io.BytesIO(raw), "in.csv").encoding == "cp1252"
    with pytest.raises(DataError, match=r"in\.csv: .* Name it with --encoding: worth trying are "):
        # 0x81 is no character of cp1252.
        detect(io.BytesIO(raw + b"2,\x81\n" + rows * 40_000), "in.csv")


def test_half_a_character_far_down_undoes_the_guess_though_its_byte_is_familiar():
    rows = "".join(f"{i},{text}\n" for i in range(2000) for text in TEXTS["Japanese"]).encode("shift_jis")
    raw = b"ref,text\n" + rows
    assert detect(io.BytesIO(raw), "in.csv").encoding == "cp932"
    assert read_back(raw + b"2,\x82\n" + rows) is None


@pytest.mark.parametrize("at", [0, 1000, 70_000])
def test_a_bad_byte_does_not_make_a_file_of_utf_8_another(at):
    # Further on, and far beyond what a guess from the head would see, are the characters that tell.
    content = b"n,text\n".ljust(at, b"x") + b"\xff" + b"key invoices\n" * 100_000 + "Büro für 翻訳\n".encode()
    assert detect(io.BytesIO(content), "in.csv").encoding == "utf-8"


def test_letters_of_cp1252_that_look_like_utf_8_do_not_make_it_so():
    # Ã¼ is the two bytes that are ü in UTF-8.
    text = "Größe;Maß\nBüro;Straße\nkaputtes Ã¼;x\n"
    assert read_back(text.encode("cp1252")) in (None, text)
    text = text.replace("Ã¼", "ü")
    assert read_back(text.encode("cp1252")) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("language", TEXTS)
def test_wide_text_without_a_mark_is_found_in_either_byte_order(encoding, language):
    stream = io.BytesIO("\n".join(["text,label", *(f"{t},BPO" for t in TEXTS[language])]).encode(encoding))
    assert detect(stream, "in.csv").encoding == encoding
    assert stream.tell() == 0


def test_a_nul_does_not_make_text_wide():
    assert detect(io.BytesIO("text\ncafé\0 Büro\n".encode("cp1252")), "in.csv").encoding == "cp1252"
    assert detect(io.BytesIO(b"text,n\na\0b,1\na\0b,2\n"), "in.csv").encoding == "utf-8"


def test_a_file_that_ends_within_a_character_is_what_the_rest_of_it_is():
    assert detect(io.BytesIO("Büro für ü".encode()[:-1]), "in.csv").encoding == "utf-8"
    assert detect(io.BytesIO(b"Caf\xe9"), "in.csv").encoding == "cp1252"


def test_half_a_pair_of_surrogates_does_not_make_utf_8_another_encoding():
    raw = "text,n\nBüro putzen,1\n\ud83d,2\n".encode("utf-8", "surrogatepass")
    assert detect(io.BytesIO(raw), "in.csv").encoding == "utf-8"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_the_encodings_of_spreadsheets_are_told_apart(encoding):
    text = 'text,label\n"Übersetzung, 500 €",BPO\n' + "translate “quotes”,BPO\n" * 5
    found, encoding_found = decode(text.encode(encoding), "f.csv")
    assert found.removeprefix("\ufeff") == text
    assert encoding_found.encoding == encoding


def test_text_that_cannot_be_told_is_refused_with_a_way_out_that_there_is():
    # Standard input and a guide have no option for their encoding.
    with pytest.raises(DataError, match=r"f\.txt: is not valid UTF-8, .* Save it as UTF-8\.$"):
        decode(b"a,b\x81\x8d", "f.txt")


@given(st.text(st.characters(min_codepoint=9, max_codepoint=0x4FF), min_size=1, max_size=40), st.sampled_from(GUESSED))
def test_what_is_taken_can_be_decoded_and_whatever_text_does_not_crash(text, encoding):
    raw = text.encode(encoding, "ignore")
    try:
        found = detect(io.BytesIO(raw), "in.csv")
    except DataError:
        return
    if found.is_guess:
        raw.decode(found.encoding)
