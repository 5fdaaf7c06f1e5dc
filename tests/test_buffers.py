from hypothesis import given, settings
from hypothesis import strategies as st

from outsort.buffers import blank_texts, first_told, utf8_column

CELLS = st.text(st.sampled_from("a ü\t\u3000\u2028\xa0\u200b翻"), max_size=3)


@settings(max_examples=40)
@given(st.integers(0, 6).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=3)))
def test_the_first_text_that_is_not_blank_is_the_one_that_a_loop_finds(columns):
    wanted = [next((cell for cell in row if cell.strip()), None) for row in zip(*columns, strict=True)]
    told = first_told(map(utf8_column, columns)).to_pylist()
    assert [one if one.strip() else None for one in told] == wanted
    assert blank_texts(utf8_column(columns[0])).tolist() == [i for i, c in enumerate(columns[0]) if not c.strip()]


def test_a_part_of_a_column_keeps_its_offsets():
    whole = utf8_column(["no", "", "ü", "", "no"])
    others = utf8_column(["x", "a", "b", "c", "x"])
    assert first_told([whole.part(1, 4), others.part(1, 4)]).to_pylist() == ["a", "ü", "c"]


def test_no_column_is_read_in_vain():
    def columns():
        yield utf8_column(["tax"])
        raise AssertionError

    assert first_told(columns()).to_pylist() == ["tax"]
