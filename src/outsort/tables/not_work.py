"""What rows and passages that are no work say: totals, notes, units; in English and a few other languages."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from outsort.buffers import Utf8Column, blank_texts
from outsort.tables.base import UNCOMPUTED, is_filled
from outsort.tables.headings import Kind, reading_of

if TYPE_CHECKING:
    from outsort.tables.base import Batch, BatchTexts

#: How the reason of a marked row begins.
NOT_WORK = "not a row of work"
AGAIN, TITLE, TOTAL, NOTE, UNITS, SEPARATOR, BLANK, OTHER = (
    f"{NOT_WORK} ({what})"
    for what in (
        *("the header again", "the title again", "a total", "a note", "units", "a separator", "blank"),
        "the header of another table",
    )
)
#: Words for a total that are nothing else, and those that may be the name of a firm, a column or a company's result.
_SURE = (
    r"(?:(?:grand|sub|sum|overall|report|net|gross)[- ]?)totals?|overall result"
    r"|(?:gesamt|zwischen|end|teil|brutto|netto)(?:summen?|betrag|ergebnis)|summen?|insgesamt|sous[- ]totau?[lx]|totaux"
    r"|total(?: général|e? generale?| geral)|sub[- ]?totale?s?|subtotaal|totaal|sumas?|somme|razem|ogółem|celkem|totalt"
    r"|i alt|yhteensä|összesen|σύνολο|итого|всего|(?:genel |ara )?toplam|ukupno|skupaj|spolu|kokku|kopā|iš viso"
    r"|разом|всього|усього|общо|tổng cộng|合計|小計|総計|計|合计|总计|总和|합계|소계|총계"
)
_BARE = r"totale?s?|gesamt"
#: What a cell with a word for a total holds, as far as rows with a text are looked at; and what a separator holds.
TOTAL_PARTS, SEPARATOR_PARTS = ("otal", "OTAL", "summe", "Summe", "SUMME"), ("---", "===")
_TOTAL = re.compile(
    rf"(?:{_SURE}|{_BARE})"
    r"(?:\s+(?:(?:bid|tender|contract|annual|estimated|project) )?(?:amount|value|spend|costs?|price|budget|fees?))?"
    r"(?:\s+(?:for|of(?! ownership)|excl|incl|excluding|including|in|per|due)\b(?!-).{0,40}"
    r"|\s+(?:eur|gbp|usd|\d{4}.{0,10})|\s*\(.*\))?\s*:?",
    re.IGNORECASE,
)
#: The total of a group, as spreadsheets name it: "Leeds Total", "Zwischensumme Amt 10".
_OF_GROUP = re.compile(rf".{{1,60}}\s(?:{_SURE}|{_BARE}|result|ergebnis)|(?:{_SURE})\s.{{1,60}}", re.IGNORECASE)
_MAYBE_OF_GROUP = re.compile(rf"(?:{_BARE})\s.{{1,60}}", re.IGNORECASE)
_RESULT = re.compile("result|ergebnis|résultat|resultado|risultato", re.IGNORECASE)
_NOTE = re.compile(
    r"(?:sources?|notes?|n\.?b\.?|disclaimer|footnotes?|(?:prepared|produced|published) by|(?:data )?extracted(?: on)?"
    r"|generated(?: on| by| at)?|printed(?: on)?|report (?:run|date|generated)|data (?:as at|source)"
    r"|(?:total |number of )?(?:rows?|records?|entries)(?: count)?"
    r"|quellen?|hinweise?|anmerkung(?:en)?|fu(?:ß|ss)noten?|(?:daten)?stand|erstellt(?: am| von)?|anzahl(?: zeilen)?"
    r"|remarques?|notas?|fuentes?|fonti?|fontes?|bron(?:nen)?|opmerking(?:en)?|źródło|uwag[ai]|kilder?|källor?|zdroj)"
    r"\s*:.*"
    r"|(?:generated|exported|printed|extracted|erstellt|exportiert|généré|exporté|generado) (?:at|on|am|le|el)\b.*\d.*"
    r"|(?:total:? )?\(?[\d,. ]+ ?(?:rows?|records?|results?|entries|zeilen|datensätze|lignes|filas|registros|righe)"
    r"(?: (?:affected|selected|returned|found|exported|fetched|in set.*|betroffen|ausgewählt))?\)?\.?"
    r"|page \d+(?: of \d+)?|end of (?:report|table|list|data|register|file)\.?|©.*|\(c\) .*|\*{1,3} .*|[†‡].*",
    re.IGNORECASE | re.DOTALL,
)
_SEPARATOR = re.compile(r"[\s|+:]*(?:-{2,}|={2,})[-=\s|+:]*")
_AMOUNT = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*|[A-Z]{3} ?[\d.,]+|[\d.,]+ ?[A-Z]{3}")
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[ T].*)?")
#: Currencies, spans of time, shares, and how dates are written: what stands below a header to say how cells are meant.
_UNIT = re.compile(
    r"[(\[]?(?:in )?(?:[kmt]?(?:€|£|\$|¥)(?:[ ']?(?:000s?|[km]))?"
    r"|[kt]?(?:eur|gbp|usd|chf|sek|nok|dkk|pln|czk|huf|inr|aud|cad|jpy|brl|zar)"
    r"|%|per ?cent|prozent|days?|weeks?|months?|years?|hours?|tage?n?|wochen?|monaten?|monate|jahren?|jahre|stunden?"
    r"|jours?|semaines?|mois|ans?|années?|heures?|días?|meses|mes|años?|horas?|giorni|mesi|anni|ore"
    r"|stk\.?|stück|pcs|ea|each|units?|pieces?|m2|m²|km|kg|fte|(?:[dtj]{1,4}|[my]{1,4}|a{2,4})(?:[-./](?:[dtj]{1,4}|[my]{1,4}|a{2,4})){1,2})[)\]]?",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r"(?:table|figure|fig\.?|tabelle|abbildung) \d{1,3}(?:\.\d+)?\s*[.:–-]\s.{,100}[^.;]", re.IGNORECASE
)
#: Room to write on, and the words that say what.
_TO_FILL, _WORDS_OF_A_FIELD = re.compile(r"_{3,}|(?:\.\s?){6,}|…{2,}"), 4
#: Words of a note that is told by nothing but its place.
_WORDS_OF_A_NOTE = 3


def is_total(text: str) -> bool:
    """Return whether a cell says total and nothing else.

    >>> is_total("Grand total:"), is_total("Gesamtsumme"), is_total("Total quality management")
    (True, True, False)
    """
    return _TOTAL.fullmatch(text.strip()) is not None


def is_furniture(cells: Sequence[str]) -> bool:
    """Return whether a paragraph of a document, or the cells of a row, are a total, a form or the title of a table.

    >>> is_furniture(["Name:", "Date:"]), is_furniture(["Signed by ______"]), is_furniture(["Duties:", "Key invoices"])
    (True, True, False)
    >>> is_furniture(["Table 2: levels and credits"]), is_furniture(["Table 2 has the work."])
    (True, False)
    """
    is_sum = is_total(cells[0]) and all(map(is_amount, cells[1:]))
    return is_sum or _is_form(cells) or (len(cells) == 1 and _CAPTION.fullmatch(cells[0]) is not None)


def _is_form(cells: Sequence[str]) -> bool:
    """Return whether cells are fields to fill in, such as those for signatures."""
    rests = [_TO_FILL.sub("", cell).strip() for cell in cells]
    is_short = all(len(rest.split()) <= _WORDS_OF_A_FIELD for rest in rests)
    has_blank = any(rest != cell.strip() for rest, cell in zip(rests, cells, strict=True))
    return is_short and (has_blank or (len(cells) > 1 and all(rest.endswith(":") for rest in rests)))


def is_note(text: str) -> bool:
    """Return whether a cell is a source, a count of rows, a page number or the like.

    >>> is_note("Quelle: Kämmerei"), is_note("(6 rows affected)"), is_note("Sources of funding")
    (True, True, False)
    """
    return _NOTE.fullmatch(text.strip()) is not None


def is_separator(text: str) -> bool:
    """Return whether a cell or a line is all dashes, as printed lists and exports of databases have below the header.

    >>> is_separator("---------"), is_separator("--:"), is_separator("-")
    (True, True, False)
    """
    return _SEPARATOR.fullmatch(text) is not None


def is_amount(text: str) -> bool:
    """Return whether a cell is a number, with or without a currency."""
    return _AMOUNT.fullmatch(text.strip()) is not None


def reason_without_text(columns: Sequence[str], cells: Sequence[object]) -> str:
    """Return why a row is no work whose text is blank, as its other cells say; "" for a row like the others.

    >>> columns = ["Plant", "Order", "Text", "Vendor", "Value", "Currency"]
    >>> reason_without_text(columns, ["1000", "Result", "", "", 52.5, ""])
    'not a row of work (a total)'
    >>> reason_without_text(columns, ["1000", "45001", "", "Total Gas & Power", 52.5, "EUR"])
    ''
    """
    filled = {place: cell for place, cell in enumerate(cells) if is_filled(cell)}
    if not filled:
        return BLANK
    n_columns = sum(1 for name in columns if name.strip())
    said = {place: text for place, cell in filled.items() if isinstance(cell, str) and (text := cell.strip())}
    if len(filled) == 1 and said and n_columns > 2:
        place, text = said.popitem()
        is_named = place < len(columns) and reading_of(columns[place]).kind < Kind.WEAK
        if is_note(text) or (not is_named and len(text.split()) >= _WORDS_OF_A_NOTE and not _is_of_total(text)):
            return NOTE
        return TOTAL if is_total(text) or _is_of_total(text) else ""
    if len(filled) > 1 and len(said) == len(filled) and all(map(_UNIT.fullmatch, said.values())):
        return UNITS
    return TOTAL if _is_sum(filled, said, n_columns) else ""


def _is_of_total(text: str) -> bool:
    return bool(_OF_GROUP.fullmatch(text) or _RESULT.fullmatch(text))


def _is_sum(filled: Mapping[int, object], said: Mapping[int, str], n_columns: int) -> bool:
    """Return whether a row is a total: one that says so, with numbers and at most the group beside it."""
    texts = [text for text in said.values() if not is_amount(text)]
    is_dated = any(isinstance(cell, datetime.date) for cell in filled.values())
    if is_dated or any(map(_DATE.fullmatch, said.values())) or len(filled) < 2:
        return False
    is_narrow = 2 * len(filled) <= n_columns
    if len(texts) == 1:
        (text,) = texts
        may_be = (is_narrow and bool(_RESULT.fullmatch(text))) or (
            len(filled) == 2 and n_columns > 4 and bool(_MAYBE_OF_GROUP.fullmatch(text))
        )
        return is_total(text) or bool(_OF_GROUP.fullmatch(text)) or may_be
    return len(texts) == 2 and is_narrow and any(is_total(text) or bool(_RESULT.fullmatch(text)) for text in texts)


def faults_of(batch: Batch, texts: BatchTexts) -> Mapping[int, str]:
    """Return the faults of a batch, and of its rows without a text those that are no work.

    Args:
        batch: n rows.
        texts: n, their texts.
    """
    if len(batch.header) < 2:
        return batch.faults
    if isinstance(texts, Utf8Column):
        blank = blank_texts(texts).tolist()
    else:
        blank = [place for place, text in enumerate(cast("Sequence[str]", texts)) if not text or not text.strip()]
    found = dict(batch.faults)
    open_rows = [place for place in blank if found.get(place, UNCOMPUTED).startswith(UNCOMPUTED)]
    for place in open_rows:
        # A formula without a result counts as a number: most are sums, and dates fill whole columns.
        if why := reason_without_text(batch.header, batch.cells_at(place)):
            found[place] = why
    return found
