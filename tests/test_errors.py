import pytest

from outsort.errors import DataError, OutputError, in_plain_words, raised_as


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


@pytest.mark.parametrize(
    ("old", "new", "plain"),
    [
        ("'x' is not a valid integer.", "Input should be a valid integer, got 'x'", "must be a whole number"),
        ("'x' is not a valid integer range.", "Input should be a valid integer", "must be a whole number"),
        ("'x' is not a valid float range.", "Input should be a valid number, got 'x'", "must be a number"),
        ("-1 is not in the range x>=0.", "Input should be greater than or equal to 0", "must be 0 or more"),
        ("7.0 is not in the range x<=0.9.", "Input should be less than or equal to 0.9", "must be 0.9 or less"),
    ],
)
def test_what_old_and_new_typer_say_of_a_value_is_one_in_plain_words(old, new, plain):
    assert (in_plain_words(old), in_plain_words(new)) == (plain, plain)


def test_a_range_with_two_ends_is_in_plain_words():
    assert in_plain_words("7.0 is not in the range 0.5<=x<=0.999.") == "must be from 0.5 to 0.999"
