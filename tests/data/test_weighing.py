"""Weights read batch by batch: what each cell weighs, and what is told of those that weigh nothing."""

import numpy as np
import pytest

from outsort.data.weighing import Weighing


def test_what_is_no_amount_weighs_nothing_and_is_counted_by_kind():
    weighing = Weighing("spend")
    cells = ["£1,200.50", "", None, "n/a", "-5", "(20)", 7, "see note"]
    assert weighing.weights(cells).tolist() == [1200.5, 0, 0, 0, 0, 0, 7, 0]
    found = weighing.result()
    assert (found.column, found.blank, found.not_numbers, found.example) == ("spend", 2, 2, "n/a")
    assert (found.negative, found.negative_sum, found.decimal_mark, found.ambiguous) == (2, -25, ".", 0)


def test_the_first_mark_that_is_seen_reads_all_that_comes_later():
    weighing = Weighing("spend")
    # Before a cell tells, a point is one of decimals, and such cells are counted.
    assert weighing.weights(["1.234", "5"]).tolist() == [1.234, 5]
    assert weighing.weights(["1.234", "99,50"]).tolist() == [1234, 99.5]
    assert weighing.weights(["2.000"]).tolist() == [2000]
    assert (weighing.result().decimal_mark, weighing.result().ambiguous) == (",", 1)


def test_an_example_is_the_first_one_and_cut():
    weighing = Weighing("spend")
    weighing.weights(["x" * 500, "y"])
    assert weighing.result().example == "x" * 300


def test_rows_apart_are_weighed_but_not_counted():
    weighing = Weighing("spend")
    cells = ["1.000", "2,50", "-3", "total"]
    assert weighing.apart(cells, np.array([0, 2, 3])).tolist() == [1000, 0, 0]
    found = weighing.result()
    assert (found.blank, found.not_numbers, found.negative) == (0, 0, 0)
    # They tell how the others are written, all the same.
    assert weighing.weights(["4.000"]).tolist() == [4000]


@pytest.mark.parametrize("at", [0, 3, 6])
def test_parts_read_apart_are_told_of_like_the_whole(at):
    cells = ["1.5", "n/a", "", "-2", "3.25", "later", "-4"]
    whole, first, second = (Weighing("spend") for _ in range(3))
    whole.weights(cells)
    first.weights(cells[:at])
    second.weights(cells[at:])
    first.merge(second)
    assert first.result() == whole.result()


def test_a_weighing_without_a_column_takes_that_of_the_other():
    weighing = Weighing("")
    weighing.merge(Weighing("spend"))
    assert weighing.result().column == "spend"
