import pytest

from outsort.errors import DataError, OutputError, raised_as


def test_what_a_library_raises_becomes_one_message_with_its_cause():
    with pytest.raises(DataError) as caught, raised_as(DataError, "in.csv: is damaged", "Copy it again.", ValueError):
        int("x")
    assert str(caught.value) == ("in.csv: is damaged (invalid literal for int() with base 10: 'x'). Copy it again.")
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("error", [TypeError("a mistake of ours"), OutputError("out.csv: exists"), DataError("row 3")])
def test_other_errors_stay_what_they_are(error):
    # Ours are ValueErrors and OSErrors, and have their own message.
    with pytest.raises(type(error)) as caught, raised_as(DataError, "is damaged", "", ValueError, OSError):
        raise error
    assert caught.value is error
