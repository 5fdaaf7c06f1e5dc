import pytest

from outsort.errors import DataError
from outsort.tables.columns import find_column


def test_usual_names_are_found_whatever_their_case_and_marks():
    assert find_column("t", ["Ref", "Task_Description", "Notes"], "text", None) == "Task_Description"
    assert find_column("t", ["Service Line"], "line", None) == "Service Line"


def test_the_best_of_several_usual_names_is_taken():
    assert find_column("t", ["title", "description"], "text", None) == "description"


def test_a_column_can_be_named_and_must_then_exist():
    assert find_column("t", ["a", "text"], "text", "a") == "a"
    with pytest.raises(DataError, match=r"t: no column 'b'; it has 'a', 'text'\. Name one with --line-column\."):
        find_column("t", ["a", "text"], "line", "b", optional=True)


def test_a_column_one_can_do_without_may_be_missing():
    assert find_column("t", ["a"], "line", None, optional=True) is None
