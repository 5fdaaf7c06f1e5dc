"""The result of `check`: problems of a dataset, with their limits."""

from dataclasses import dataclass, field

from outsort.results import Result

#: Findings that may well be right.
_TO_JUDGE = ("label_errors", "lopsided_words")


@dataclass(frozen=True)
class Limits:
    """The limits of the checks.

    Attributes:
        near_duplicate: Jaccard similarity of character 5-grams from which two texts are near duplicates.
        style: highest accuracy of the style test that passes, for two labels; of more labels, the accuracy as
            far from chance to 1.
        min_rows: rows that each service line (or label) should have.
        max_compared: maximum rows compared for near duplicates; of more, a random sample.
        max_modelled: maximum rows for the style test, label errors and lopsided words; of more, a random sample.
    """

    near_duplicate: float = 0.6
    style: float = 0.58
    min_rows: int = 20
    max_compared: int = 200_000
    max_modelled: int = 50_000


@dataclass(frozen=True)
class _Sparse(Result):
    def to_dict(self) -> dict[str, object]:
        """Return the fields that apply as plain values."""
        return {name: value for name, value in super().to_dict().items() if value is not None}


@dataclass(frozen=True)
class Example(_Sparse):
    """One case of a problem; fields that do not apply are None.

    Attributes:
        line: a service line.
        word: a word.
        rows: rows of the line or with the word.
        lines: service lines with the word.
        row: a row number.
        other_row: the row that it repeats or contradicts.
        why: why the text is not a description.
        similarity: of the two texts.
        text: the beginning of the text.
        other_text: the beginning of the other text.
        label: the label.
        other_label: the label of the other row.
        probably: the likelier label.
        probability_of_label: the probability of the label.
        share: the label's share of the rows with the word.
        usual_share: the label's share of all rows.
        guide: the first line of the guide with the word; "" if it has none.
    """

    line: str | None = None
    word: str | None = None
    rows: int | None = None
    lines: int | None = None
    row: object = None
    other_row: object = None
    why: str | None = None
    similarity: float | None = None
    text: str | None = None
    other_text: str | None = None
    label: str | None = None
    other_label: str | None = None
    probably: str | None = None
    probability_of_label: float | None = None
    share: float | None = None
    usual_share: float | None = None
    guide: str | None = None


@dataclass(frozen=True)
class Finding(_Sparse):
    """A problem.

    Attributes:
        n: cases found.
        n_failing: cases over the limit.
        worst: the first cases.
        limit: of similarity or rows.
        n_across_folds: near duplicates that random folds would separate.
    """

    n: int
    n_failing: int
    worst: list[Example]
    limit: float | None = None
    n_across_folds: int | None = None


@dataclass(frozen=True)
class Style(Result):
    """The result of the style test: see `style_test`.

    Attributes:
        accuracy: mean recall of the labels.
        n: rows tested.
        chance: the accuracy of guessing: one over the number of labels.
        limit: highest accuracy that passes.
        n_failing: 1 if the accuracy is above it, else 0.
    """

    accuracy: float
    n: int
    chance: float
    limit: float
    n_failing: int


@dataclass(frozen=True)
class Check(_Sparse):
    """The problems of a dataset; None for a check that could not run.

    Attributes:
        source: the name of the data.
        encoding: the encoding of the file.
        n: rows.
        by_label: rows of each label.
        by_line: rows of each service line.
        by_genre: rows of each genre.
        empty: empty texts.
        not_text: texts that are not descriptions.
        exact_duplicates: texts that repeat an earlier one.
        near_duplicates: pairs of similar texts.
        rare_labels: labels that a single row has: probably misspelled.
        two_labels: texts whose label contradicts an earlier row.
        thin_lines: service lines (or labels) with too few rows.
        lines_of_two_labels: rows whose label contradicts an earlier row of their service line.
        style: whether style alone predicts the label.
        label_errors: labels that are probably wrong, for a person to judge.
        lopsided_words: words that lean to one label, for a person to judge.
        left_out: what was skipped, and why.
    """

    source: str
    encoding: str
    n: int
    by_label: dict[str, int]
    by_line: dict[str, int]
    by_genre: dict[str, int]
    empty: Finding
    not_text: Finding
    exact_duplicates: Finding
    near_duplicates: Finding
    rare_labels: Finding | None = None
    two_labels: Finding | None = None
    thin_lines: Finding | None = None
    lines_of_two_labels: Finding | None = None
    style: Style | None = None
    label_errors: Finding | None = None
    lopsided_words: Finding | None = None
    left_out: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """The checks over a limit; what a person has to judge is not among them."""
        found = ((name, value) for name, value in vars(self).items() if isinstance(value, Finding | Style))
        return [name for name, value in found if value.n_failing and name not in _TO_JUDGE]

    def to_dict(self) -> dict[str, object]:
        """Return the fields and `failed`."""
        return super().to_dict() | {"failed": self.failed}
