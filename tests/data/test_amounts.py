"""Amounts as people write them."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outsort.data.amounts import amounts, decimal_mark, is_ambiguous, is_blank


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1234.5", 1234.5),
        ("£1,234.50", 1234.5),
        ("$ 1,234,567", 1234567),
        ("1,234", 1234),
        ("1.234,56 €", 1234.56),
        ("1.234.567", 1234567),
        ("12,5", 12.5),
        ("0,500", 0.5),
        ("12,34,567.00", 1234567),
        ("1 234,50 zł", 1234.5),
        ("CHF 1’234.50", 1234.5),
        ("US$1 000", 1000),
        ("EUR 5", 5),
        ("500,-", 500),
        ("(12.00)", -12),
        ("-£5", -5),
        ("£−5", -5),
        ("5-", -5),
        ("1e5", 100000),
        (7, 7),
        (Decimal("1.10"), 1.1),
    ],
)
def test_an_amount_is_read_as_a_person_would(cell, number):
    assert amounts([cell]).tolist() == [number]


@pytest.mark.parametrize(
    "cell", ["", " ", None, "n/a", "1.2m", "£1.2k", "12 34", "1,2,3", "1.5%", "1_000", "(5", "nan", True, "2026-01-02"]
)
def test_what_may_be_something_else_is_no_number(cell):
    assert math.isnan(amounts([cell])[0])


def test_the_column_tells_what_a_cell_does_not():
    german = ["1.234", "99,50", "1.000"]
    assert amounts(german, decimal_mark(german)).tolist() == [1234, 99.5, 1000]
    english = ["1.234", "99.50", "1,000"]
    assert amounts(english, decimal_mark(english)).tolist() == [1.234, 99.5, 1000]
    assert decimal_mark(["1.234", "5"]) == ""
    assert [is_ambiguous(cell) for cell in ("1.234", "1,234", "£1.234", "1234.567", 1.234)] == [
        *(True, False, True, False, False)
    ]
    assert [is_blank(cell) for cell in (None, "", " \t", "-", 0)] == [True, True, True, False, False]


@given(
    st.lists(st.decimals(min_value=0, max_value=10**12, places=2), min_size=1),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("’", "."), ("", ".")]),
    st.sampled_from(["", "£", "EUR ", "US$"]),
)
def test_formatted_amounts_are_read_back(numbers, signs, currency):
    thousands, point = signs
    cells = [currency + f"{n:,.2f}".replace(",", "\0").replace(".", point).replace("\0", thousands) for n in numbers]
    # All have two decimals, so that each tells its mark.
    assert decimal_mark(cells) == point
    np.testing.assert_array_equal(amounts(cells, point), [float(n) for n in numbers])
