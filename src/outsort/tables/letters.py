"""The letters by which a spreadsheet calls its columns."""

from functools import lru_cache


def letters_of(place: int) -> str:
    """Return the letters of the column at a place from 0.

    >>> letters_of(0), letters_of(27), letters_of(16383)
    ('A', 'AB', 'XFD')
    """
    letters = ""
    while place >= 0:
        letters = chr(65 + place % 26) + letters
        place = place // 26 - 1
    return letters


@lru_cache(1 << 14)
def place_of(letters: str) -> int:
    """Return the place of the column that has these letters.

    >>> place_of("A"), place_of("AB"), place_of("XFD")
    (0, 27, 16383)
    """
    place = 0
    for letter in letters:
        place = 26 * place + ord(letter) - ord("A") + 1
    return place - 1
