"""Tell the encoding of text from all of its bytes, or say that it cannot be told.

UTF-8, UTF-16 and UTF-32 show by themselves. For the others charset-normalizer names those that the bytes may
be in, and what each makes of them is weighed here: letters in words of one script and of one language, signs
where signs belong. The best is taken if it is clearly better than every other that gives other letters.
"""

from __future__ import annotations

import codecs
import io
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from typing import IO, Any, NamedTuple

from outsort.errors import DataError

#: The encodings that are guessed: those that programs on Windows and the web write, and older ones of DOS and Mac.
GUESSED = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874"),
    *("iso8859-2", "iso8859-5", "iso8859-7", "iso8859-15"),
    *("iso8859-4", "iso8859-10", "iso8859-13", "iso8859-16"),
    *("koi8-r", "koi8-u"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
    *("cp437", "cp775", "cp850", "cp852", "cp862", "cp866", "mac-roman", "mac-cyrillic"),
)
#: What to try where nothing can be said.
USUAL = ("cp1252", "cp1250", "cp1251", "cp932", "gb18030")
_CHUNK = 1 << 18
#: The share of NULs that text of one byte a character does not have by accident.
_MANY_NULS = 1 / 40
#: Bytes of rows that a guess is made from; more only with bytes that are rare so far, until all are familiar.
_SAMPLE, _RARE, _FAMILIAR = 1 << 14, 3, 200
#: How strange what is taken may look on average, and how much stranger any other must: by nearly one impossible
#: letter, and by more where many letters differ, each of which chance may favour a little.
_STRANGE, _LEAST, _CHANCE = 0.45, 0.7, 0.5
#: What a lack of letters in the usual order of some language counts a letter.
_COHERENCE = 0.2
#: What it counts a letter that the library leaves an encoding out.
_LEFT_OUT = 0.3
#: What it counts that few programs have written an encoding since the nineties, or since the code pages of Windows.
_PRIORS = {
    **dict.fromkeys(("cp437", "cp775", "cp850", "cp852", "cp862", "cp866", "mac-roman", "mac-cyrillic"), 0.8),
    **dict.fromkeys(("iso8859-2", "iso8859-5", "iso8859-7", "iso8859-15"), 0.3),
    **dict.fromkeys(("iso8859-4", "iso8859-10", "iso8859-13", "iso8859-16"), 0.6),
}


class Found(NamedTuple):
    """The encoding of a stream.

    Attributes:
        encoding: its name for `codecs`.
        others: if it is a guess, encodings that might be tried as well, best first.
        is_guess: whether it does not show by itself.
    """

    encoding: str
    others: tuple[str, ...] = ()
    is_guess: bool = False

    @property
    def note(self) -> str:
        """What to tell of a guess, "" for none."""
        if not self.is_guess:
            return ""
        others = f", such as {' or '.join(self.others)}" if self.others else ""
        return f"read as {self.encoding}, because it is not UTF-8. If letters look wrong, name its --encoding{others}."


def is_encoding(name: str) -> bool:
    """Return whether Python knows a text encoding of that name.

    >>> is_encoding("cp1252"), is_encoding("klingon"), is_encoding("rot13")
    (True, False, False)
    """
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def decode(raw: bytes, source: str) -> tuple[str, Found]:
    """Decode `raw`; return the text without a byte-order mark, and what its encoding is.

    Raises:
        DataError: the encoding cannot be told, or some bytes are not valid in it.
    """
    found = detect(io.BytesIO(raw), source, hint="Save it as UTF-8.")
    try:
        return raw.decode(found.encoding), found
    except UnicodeDecodeError as error:
        where = raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{source}: line {where} is not valid {found.encoding}. Save it as UTF-8.") from None


def detect(stream: IO[bytes], source: str, *, hint: str = "") -> Found:
    """Tell the encoding of a stream by reading all of it, then rewind.

    A few bytes that are not UTF-8 among more characters that are: UTF-8, with errors in their rows.

    Args:
        stream: at its beginning.
        source: its name in messages.
        hint: what to do if it cannot be told, in place of naming the encoding.

    Raises:
        DataError: the encoding cannot be told.

    >>> detect(io.BytesIO("Büro".encode("cp1252")), "a file").encoding
    'cp1252'
    """
    try:
        return _by_marks(stream) or _by_letters(stream, source, hint)
    finally:
        stream.seek(0)


def _by_marks(stream: IO[bytes]) -> Found | None:
    """Return the encoding that shows by itself, if it does."""
    head = stream.read(_CHUNK)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return Found(encoding)
    wide = _wide(head, _MANY_NULS)
    if wide:
        return Found(wide)
    stream.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    has_escapes = False
    try:
        for chunk in _chunks(stream):
            decoder.decode(chunk)
            # One byte is found much faster than two.
            has_escapes = has_escapes or (b"\x1b" in chunk and b"\x1b$" in chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        # Few signs are ASCII where no blanks part the words.
        wide = _wide(head, 0)
        if wide and _is_valid(stream, wide):
            return Found(wide)
        return Found("utf-8") if _is_mostly_utf8(stream) else None
    shifted = next((name for name in _SHIFTED if has_escapes and _is_valid(stream, name)), "")
    return Found(shifted, _SHIFTED, is_guess=True) if shifted else Found("utf-8")


_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: Encodings whose bytes are all ASCII, and that announce other letters by an escape.
_SHIFTED = ("iso2022_jp_2", "iso2022_jp_ext", "iso2022_kr")


def shows_wide(head: bytes) -> bool:
    """Return whether text that begins so has two or four bytes a character."""
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)) or bool(
        _wide(head, _MANY_NULS)
    )


def _wide(head: bytes, least: float) -> str:
    """Return which encoding of two or four bytes a character text without a mark is in, "" for none.

    In text, delimiters, blanks and line ends are ASCII in every language: NULs stand at their one side.

    Args:
        head: what the text begins with.
        least: the share of NULs that it takes.
    """
    n = len(head)
    if head.count(0) < max(least * n, 2):
        return ""
    zeros = [head[place::4].count(0) for place in range(4)]
    quarter = max(n // 4, 1)
    if zeros[2] + zeros[3] > 1.9 * quarter and zeros[0] < quarter / 2:
        return "utf-32-le"
    if zeros[0] + zeros[1] > 1.9 * quarter and zeros[3] < quarter / 2:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    # A row that holds a NUL by accident does not have it beside the line end.
    if odd > 4 * even and (b"\n\0" in head or b"\n" not in head):
        return "utf-16-le"
    return "utf-16-be" if even > 4 * odd and (b"\0\n" in head or b"\n" not in head) else ""


def _is_mostly_utf8(stream: IO[bytes]) -> bool:
    """Return whether a stream holds at least as many characters beyond ASCII in UTF-8 as bytes that are not UTF-8.

    Half of a pair of surrogates is no character, but nothing else than a program that writes UTF-8 leaves one.
    """
    stream.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    n_others = n_invalid = 0
    for chunk in _chunks(stream):
        text = decoder.decode(chunk)
        n_others += len(text) - len(text.encode("ascii", "ignore"))
        n_invalid += len(_ESCAPED.findall(_SURROGATE.sub("", text)))
    return n_others >= 2 * n_invalid + len(decoder.getstate()[0])


_ESCAPED = re.compile("[\udc80-\udcff]")
_SURROGATE = re.compile("\udced[\udca0-\udcbf][\udc80-\udcbf]")


def _by_letters(stream: IO[bytes], source: str, hint: str) -> Found:
    sample = _sample(stream)
    names, is_clear = guess(sample)
    # The sample has rows with every byte; what is wrong with one far down shows only there.
    if is_clear and _is_valid(stream, names[0]):
        return Found(names[0], tuple(names[1:4]), is_guess=True)
    worth = ", ".join(names[:4] or USUAL)
    hint = hint or f"Name it with --encoding: worth trying are {worth}. Or save it as UTF-8."
    raise DataError(f"{source}: is not valid UTF-8, and what else it is cannot be told for sure. {hint}")


def likely(raw: bytes) -> tuple[str, ...]:
    """Return the encodings that some bytes which are not UTF-8 may be in, best first, four or fewer.

    >>> likely("Büro putzen".encode("cp1252"))[0]
    'cp1252'
    """
    return tuple(guess(raw)[0][:4]) or USUAL


class _Reading(NamedTuple):
    """What some bytes are in an encoding.

    Attributes:
        cost: how strange it looks, summed over its letters and signs beyond ASCII.
        encoding: the encoding.
        words: its distinct words that are not ASCII; a name in every row says no more than in one.
        mean: how strange it looks on average, from 0 to about 1.
    """

    cost: float
    encoding: str
    words: frozenset[str]
    mean: float


def guess(sample: bytes) -> tuple[list[str], bool]:
    """Return the encodings that a sample of text may be in, best first, and whether the first is clearly so.

    Those that give the same text as a better one are left out.
    """
    from charset_normalizer import from_bytes

    # A NUL is a fault of its row, whatever the rest of it is.
    sample = sample.replace(b"\0", b" ")
    found = from_bytes(sample, steps=1 + len(sample) // 512, chunk_size=512, cp_isolation=list(GUESSED))
    oddities: dict[str, float] = {}
    for match in found:
        for codec in (match.encoding, *match.could_be_from_charset):
            oddities[codec.replace("_", "-")] = match.chaos + _COHERENCE * (1 - match.coherence)
    readings: dict[str, _Reading] = {}
    for name in GUESSED:
        with suppress(UnicodeDecodeError):
            text = sample.decode(name)
            # What the library leaves out may be merely like another: it is weighed too, to be sure of the best.
            reading = _read(text, name, oddities.get(name.replace("_", "-"), _LEFT_OUT))
            if text not in readings or reading.cost < readings[text].cost:
                readings[text] = reading
    if not readings:
        return [], False
    best, *others = sorted(readings.values(), key=lambda reading: reading.cost)
    is_clear = best.mean <= _STRANGE and all(_is_clearly_better(best, other) for other in others)
    return [best.encoding, *(other.encoding for other in others)], is_clear


def _read(text: str, encoding: str, oddity: float) -> _Reading:
    words = frozenset(word for word in _BREAKS.split(text) if not word.isascii())
    cost, n = _strangeness(words, encoding)
    return _Reading(cost + n * oddity + _PRIORS.get(encoding, 0.0), encoding, words, cost / max(n, 1))


def _is_clearly_better(best: _Reading, other: _Reading) -> bool:
    n_letters = sum(not letter.isascii() for word in best.words - other.words for letter in word)
    return other.cost - best.cost >= max(_LEAST, _CHANCE * math.sqrt(n_letters))


def _is_valid(stream: IO[bytes], encoding: str) -> bool:
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in _chunks(stream):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _sample(stream: IO[bytes]) -> bytes:
    """Return rows with bytes beyond ASCII: the first ones, and further on each with a byte that is rare so far."""
    stream.seek(0)
    seen: Counter[int] = Counter()
    rows: dict[bytes, None] = {}
    size, rest = 0, b""
    for chunk in _chunks(stream):
        whole, _, rest = (rest + chunk).rpartition(b"\n")
        # A row without end is cut.
        rest = rest[-_CHUNK:]
        size = _add_rows(whole, rows, seen, size)
    _add_rows(rest, rows, seen, size)
    return b"\n".join(rows)


def _add_rows(content: bytes, rows: dict[bytes, None], seen: Counter[int], size: int) -> int:
    if content.isascii() or (
        size > _SAMPLE and all(seen[b] >= _FAMILIAR for b in set(content.translate(None, _ASCII)))
    ):
        return size
    for row in content.split(b"\n"):
        if row.isascii():
            continue
        others = row.translate(None, _ASCII)
        if size <= _SAMPLE or any(seen[byte] < _RARE for byte in others):
            # Not within a character: none ends in such a byte, in any encoding.
            cut = row if len(row) <= _SAMPLE else _TO_A_BREAK.match(row[:_SAMPLE] + b"\n")[0]
            if cut not in rows:
                rows[cut] = None
                size += len(cut)
        seen.update(others)
    return size


_ASCII = bytes(range(128))
_TO_A_BREAK: Any = re.compile(rb".*[\n ,;\t]", re.DOTALL)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(_CHUNK), b"")


def _strangeness(words: Collection[str], encoding: str) -> tuple[float, int]:
    """Return how strange the characters beyond ASCII in some words look, summed, and how many there are."""
    letters: Counter[str] = Counter()
    ideographs: Counter[str] = Counter()
    costs = 0.0
    n = 0
    for word in words:
        padded = f"\0{word}\0"
        for place in range(1, len(padded) - 1):
            char = padded[place]
            if char.isascii():
                continue
            n += 1
            cost = _cost_of_place(padded, place)
            costs += cost
            if cost == 0 and _is_letter(char):
                (ideographs if _script(char) == "CJK" else letters)[char.lower()] += 1
    if ideographs:
        costs += _cost_of_ideographs(ideographs, encoding)
    return costs + _cost_of_letters(letters), n


#: What parts words in every encoding.
_BREAKS = re.compile("[\\s\x00-\x20,;|\"'()/:.!?]+", re.ASCII)


def _cost_of_place(text: str, i: int) -> float:
    """Return how strange a character is where it stands, 0 for not at all; letters are weighed besides."""
    char, before, after = text[i], text[i - 1], text[i + 1]
    kind = unicodedata.category(char)
    if kind in ("Cc", "Co", "Cn", "Cs"):
        return 2.0
    sides = _is_letter(before) + _is_letter(after)
    if char in _SIGNS:
        return _SIGNS[char](text, i)
    if not _is_letter(char):
        return 0.0 if _is_east_asian_sign(char) or kind == "Cf" else 1.0
    script = _script(char)
    others = [side for side in (before, after) if _is_letter(side) and _script(side) != script]
    if others and script != "CJK":
        return 1.0
    if others:
        # Latin words stand within Japanese and Chinese, but mostly in capitals.
        is_alone = "CJK" not in (_script(before), _script(after))
        return 1.0 if is_alone else 0.6 * any(side.islower() for side in others)
    if before.isdigit() or after.isdigit():
        return 0.5 if script not in ("Latin", "CJK") else (1.0 if script == "Latin" else 0.0)
    if char.isupper() and before.islower():
        return 1.0
    if char.islower() and before.isupper() and (after.isupper() or text[i - 2 : i - 1].isupper()):
        return 1.0
    if script == "Latin" and not sides:
        return 0.0 if char.lower() in _WORDS_OF_ONE_LETTER else 1.0
    return 0.0


_WORDS_OF_ONE_LETTER = "àáâéèíóåő"


def _is_letter(char: str) -> bool:
    return (char.isalpha() or unicodedata.category(char).startswith("M")) and char not in _SIGNS


def _script(char: str) -> str:
    if char.isascii():
        return "Latin"
    first = unicodedata.name(char, "").partition(" ")[0]
    return "CJK" if first in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "KATAKANA-HIRAGANA") else first.title()


def _is_east_asian_sign(char: str) -> bool:
    return "\u3000" <= char <= "\u303f" or "\uff01" <= char <= "\uff60" or char == "\u30fb"


def _quote(text: str, i: int) -> float:
    # One side is that of a word, the other is not.
    before, after = text[i - 1], text[i + 1]
    if text[i] in (before, after) or (before.isalnum() and after.isalnum()):
        return 1.0
    return 0.6 if before.isalnum() and text[i] in "‘‚„‹" else 0.0


def _apostrophe(text: str, i: int) -> float:
    if text[i - 1].isalnum() + text[i + 1].isalnum() < 2:
        return 0.0
    return 0.0 if _AFTER.match(text, i + 1) or _BEFORE.search(text[:i]) else 1.0


_AFTER = re.compile(r"(s|t|d|m|re|ve|ll)\W", re.IGNORECASE)
_BEFORE = re.compile(r"\0(l|d|j|n|s|c|m|t|o|qu|dell|all|nell|sull|un)$", re.IGNORECASE)


def _dash(text: str, i: int) -> float:
    return 0.25 * (text[i - 1].isalpha() + text[i + 1].isalpha())


def _mark(text: str, i: int) -> float:
    # At an end of a word, or at a number.
    before, after = text[i - 1], text[i + 1]
    return 0.0 if "\0" in (before, after) or before.isdigit() or after.isdigit() else 1.0


def _of_number(text: str, i: int) -> float:
    before, after = text[i - 1], text[i + 1]
    if before.isdigit() or after.isdigit():
        return 0.0
    return 0.5 * (before.isalpha() + after.isalpha())


#: Signs that text of any language may hold, and how strange each is in its place.
_SIGNS: dict[str, Callable[[str, int], float]] = {
    **dict.fromkeys("“”„‚‘«»‹›", _quote),
    "’": _apostrophe,
    **dict.fromkeys("–—…", _dash),
    **dict.fromkeys("€£¥½¼¾×±", _of_number),
    **dict.fromkeys("•·°©®™§¶²³µºª¿¡№", _mark),
    "\xa0": lambda *_: 0.0,
}

_CENTRAL = "áéíóčěšžřýúůąęłżśćńźöüőűôäďťňľăâîșțşţđ"
_WESTERN = "éüáóöäèíçñàãêøßåîúôâëæïõœùòìûýðþÿ"
#: Letters beyond ASCII of languages, in order of how often they come, roughly.
_LETTERS = (
    # Western Europe: French, German, Spanish, Portuguese, Italian, Dutch, Danish, Swedish, Icelandic; and together.
    *("éèàêçîôâûùœïëüÿæ", "üäößé", "óíáñéúü", "ãçáéíóêõâúàôü", "àèéùòìî", "ëéïöüèê", "æøåé", "äöåé"),
    *("áíðéóúþæöý", _WESTERN),
    # Central Europe: Polish, Czech, Slovak, Hungarian, Croatian and Slovene, Romanian; and together.
    *("łąęóżśćńź", "íáéěřýčžšůúťďňó", "áíéýčžšúťľôňďóäŕĺ", "áéöóőüíúű", "čšžćđ", "ăîâșțşţ", _CENTRAL),
    # Turkish, Baltic and Estonian, Vietnamese in part.
    *("ıüşçğöİâîû", "ėųšžąįčęūø", "āīšēūņļžčķģ", "äõüöšž"),
    # Cyrillic: Russian, Ukrainian, Bulgarian, Serbian, Belarusian; Greek, Hebrew, Arabic, Persian, Thai.
    *("оеаинтсрвлкмдпуяызьбгчйхжшюцщэфъё", "оаніиревтслкдмупзяьбгйчхцїжшєщюфґ"),
    *("аоиентрсвлкдпмзгяъубчцйжщхфшюь", "аиоенрсуткјвдмплгзбчшцљњћжђџхфѕ", "аніоерстклвядмпуыбьзгхчцйўшжюэёф"),
    *("ατοιενρσκηπςυμλίόάγέδήωχθύφβώξζψϊΐϋΰ", "יוהלרבתמאשנעםדקחפסכגטצןזךץף"),
    *("اليمونرتبةعدسفهكقأحجشطصىخإذضغثئءزظؤآ", "ایردنهومتبسلکشزفگعخقجآپحطصچضذغثژظئ"),
    "".join(map(chr, [*range(0xE01, 0xE3B), *range(0xE40, 0xE4F)])),
)
#: How strange the rarest letter of a language is, and any letter more in a mix of languages; one of none is 1.
_RAREST, _MIXED = 0.6, 0.2


def _cost_of_letters(letters: Counter[str]) -> float:
    """Return how strange some letters are, in the language that suits them best."""
    costs = [
        sum(
            n * (_RAREST * alphabet.index(letter) / len(alphabet) if letter in alphabet else 1.0)
            for letter, n in letters.items()
        )
        for alphabet in _LETTERS
    ]
    # Names of several languages in one text are rarer than one language.
    for mix in (_WESTERN, _CENTRAL):
        costs[_LETTERS.index(mix)] += _MIXED * letters.total()
    return min(costs)


#: What common ideographs and syllables begin with in the national standard behind an encoding.
_EAST_ASIAN = {
    "cp932": ("euc_jp", 0xB0, 0xCF),
    "euc_jp": ("euc_jp", 0xB0, 0xCF),
    "gb18030": ("gb2312", 0xB0, 0xD7),
    "big5": ("big5", 0xA4, 0xC6),
    "cp949": ("euc_kr", 0xB0, 0xC8),
}
#: How strange a common ideograph is: there are so many that any pair of bytes is one. More in text without the
#: kana that Japanese is not written without for long.
_IDEOGRAPH, _WITHOUT_KANA = 0.15, 0.3


def _cost_of_ideographs(letters: Counter[str], encoding: str) -> float:
    # What else has them, a code page of one byte a character has none of.
    standard, first, last = _EAST_ASIAN[encoding]
    is_japanese = standard == "euc_jp"
    n_kana = sum(n for letter, n in letters.items() if _is_kana(letter))
    common = _WITHOUT_KANA if is_japanese and n_kana < 0.1 * letters.total() else _IDEOGRAPH
    costs = 0.0
    for letter, n in letters.items():
        try:
            is_common = first <= letter.encode(standard)[0] <= last
        except UnicodeEncodeError:
            is_common = False
        if _is_kana(letter):
            cost = (0.5 if "\uff61" <= letter <= "\uff9f" else 0.0) if is_japanese else 1.0
        elif "\uac00" <= letter <= "\ud7a3":
            cost = 0.0 if is_common else 0.7
        else:
            cost = common if is_common else 1.0
        costs += n * cost
    return costs


def _is_kana(letter: str) -> bool:
    return "\u3041" <= letter <= "\u30ff" or "\uff61" <= letter <= "\uff9f"
