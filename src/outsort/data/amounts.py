"""Amounts of money as people write them: currency signs, thousands separators, commas for decimal points."""

import datetime
import re
from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from outsort.numeric import Floats

#: The signs of currencies, their three-letter codes, and usual abbreviations.
_CURRENCY = r"(?:[A-Z]{3}|[A-Z]{0,2}[$€£¥₹₽₩₪₺₴₦₫฿₱]|[Rr]s\.?|kr\.?|zł|Kč|Ft|Fr\.)"
_MINUS, _APOSTROPHES = "[-−–]", "'’"
_AMOUNT = re.compile(
    rf"(?P<open>\()?\s*(?P<minus>{_MINUS})?\+?\s*(?:{_CURRENCY}\s*)?(?P<inner>{_MINUS})?\s*"
    rf"(?P<digits>\d[\d.,{_APOSTROPHES}\s]*|[.,]\d+)(?:\s*{_CURRENCY})?"
    rf"\s*(?P<after>{_MINUS})?\s*(?P<close>\))?"
)
#: Thousands apart by a space or an apostrophe.
_SPACED = re.compile(rf"\d{{1,3}}(?:[\s{_APOSTROPHES}]\d{{3}})+(?:[.,]\d*)?")
#: Thousands, or as in India hundreds of thousands, apart by one of these.
_GROUPED = {sign: re.compile(rf"\d{{1,3}}(?:{re.escape(sign)}\d{{2,3}})*{re.escape(sign)}\d{{3}}") for sign in ",."}
#: The usual form in English, which needs no closer look.
_PLAIN = re.compile(r"[£$€]?([1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)", re.ASCII)
#: Its decimals, where they are no thousands.
_DECIMALS = re.compile(r"\d+\.\d{1,2}", re.ASCII)
#: With a single sign, thousands and decimals look alike.
_AMBIGUOUS = re.compile(r"[1-9]\d{0,2}([.,])\d{3}")


def amounts(cells: Iterable[object], mark: str = ".") -> Floats:
    """Return cells as numbers: float64 (n_cells,), NaN for what is not one.

    Args:
        cells: numbers, or texts as people write them; "1.2m" is not a number, because it may be read in two ways.
        mark: what stands before the decimals where a cell does not tell, see `decimal_mark`.

    >>> amounts(["£1,234.50", "(12)", "1.234.567,5 EUR", "1 500", "n/a", 7]).tolist()
    [1234.5, -12.0, 1234567.5, 1500.0, nan, 7.0]
    """
    return np.array([_amount(cell, mark) for cell in cells], np.float64)


def is_blank(cell: object) -> bool:
    """Return whether a cell holds nothing but white space."""
    return cell is None or (isinstance(cell, str) and not cell.strip())


def decimal_mark(cells: Iterable[object]) -> str:
    """Return what stands before the decimals of a column, "." or ","; "" where no cell tells.

    >>> decimal_mark(["1.234", "99,50"]), decimal_mark(["1,234", "1,234,567"]), decimal_mark(["1.234"])
    (',', '.', '')
    """
    found = {_mark(cell) for cell in cells if isinstance(cell, str)} - {""}
    # Cells of both kinds tell for themselves; the others are read as in English.
    return found.pop() if len(found) == 1 else "." if found else ""


def is_ambiguous(cell: object) -> bool:
    """Return whether a cell has one point before three digits, which may part thousands or decimals."""
    digits = _parsed(cell)[1] if isinstance(cell, str) else ""
    found = _AMBIGUOUS.fullmatch(digits)
    return found is not None and found[1] == "."


def _amount(cell: object, mark: str) -> float:
    if isinstance(cell, bool) or cell is None:
        return np.nan
    if isinstance(cell, (int, float, Decimal)):
        return float(cell)
    if not isinstance(cell, str):
        return np.nan if isinstance(cell, (datetime.date, datetime.time)) else _amount(str(cell), mark)
    plain = _PLAIN.fullmatch(cell) if mark != "," else None
    if plain:
        return float(plain[1].replace(",", ""))
    if "_" not in cell and not (mark == "," and _AMBIGUOUS.fullmatch(cell.strip().lstrip("+-"))):
        try:
            return float(cell)
        except ValueError:
            pass
    is_negative, digits = _parsed(cell)
    number = _number(digits, mark)
    return -number if is_negative else number


def _parsed(cell: str) -> tuple[bool, str]:
    """Return whether an amount is below 0, and its digits with their signs; "" for what is not an amount."""
    # A dash in the place of decimals, as in 500,- is no minus.
    found = _AMOUNT.fullmatch(re.sub(r"[.,]\s*[-–—]+$", "", cell.strip()))
    if not found or bool(found["open"]) != bool(found["close"]):
        return False, ""
    digits = found["digits"].strip()
    if _SPACED.fullmatch(digits):
        digits = re.sub(r"[^\d.,]", "", digits)
    negative = any(found[name] for name in ("open", "minus", "inner", "after"))
    return negative, digits if re.fullmatch(r"[\d.,]+", digits) else ""


def _mark(cell: str) -> str:
    """Return the decimal mark that a cell tells of, "" where it does not."""
    if _DECIMALS.fullmatch(cell):
        return "."
    if "," not in cell and "." not in cell:
        return ""
    digits = _parsed(cell)[1]
    signs = re.sub(r"\d", "", digits)
    if not signs or _AMBIGUOUS.fullmatch(digits):
        return ""
    if len(signs) > 1 and len(set(signs)) == 1:
        # The sign that comes again parts thousands.
        return "," if signs[0] == "." else "."
    return signs[-1]


def _number(digits: str, mark: str) -> float:
    sign = (mark or ".") if _AMBIGUOUS.fullmatch(digits) else _mark(digits)
    whole, _, decimals = digits.rpartition(sign) if sign and sign in digits else (digits, "", "")
    other = "," if sign == "." else "."
    if other in whole:
        if not _GROUPED[other].fullmatch(whole):
            return np.nan
        whole = whole.replace(other, "")
    try:
        return float(f"{whole}.{decimals}" if decimals else whole)
    except ValueError:
        return np.nan
