import json
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from outsort.results import Result, plain

numbers = st.one_of(st.integers(-(2**31), 2**31 - 1), st.floats(width=32))
values = st.recursive(
    st.one_of(numbers, numbers.map(np.asarray), st.text(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(st.text(), inner)),
)


@given(values)
def test_any_value_becomes_strict_json(value):
    json.dumps(plain(value), allow_nan=False)


@given(st.lists(st.floats(width=32)))
def test_arrays_keep_their_numbers_and_mark_what_is_not_finite(numbers):
    expected = [number if np.isfinite(number) else None for number in numbers]
    assert plain(np.array(numbers, dtype=np.float32)) == expected


@dataclass(frozen=True)
class Inner(Result):
    for_: tuple[float, float]


@dataclass(frozen=True)
class Outer(Result):
    n: np.int64
    inner: Inner
    by: dict[str, Inner]


def test_a_result_is_its_fields_all_the_way_down():
    inner = Inner((0.5, float("nan")))
    assert Outer(np.int64(3), inner, {"a": inner}).to_dict() == {
        "n": 3,
        "inner": {"for": [0.5, None]},
        "by": {"a": {"for": [0.5, None]}},
    }


def test_a_result_comes_back_from_its_fields_and_ignores_others():
    assert Inner.from_dict({"for_": (1.0, 2.0), "new": 3}) == Inner((1.0, 2.0))
