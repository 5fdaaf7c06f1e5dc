import numpy as np
import pytest
import scipy.sparse
from scipy import stats

from outsort.errors import DataError
from outsort.improving.lopsided import _scores, first_mentions, lopsided_words

LABELS = ("BPO", "KPO", "NEITHER")
N_LINES, N_PER_LINE = 40, 40


@pytest.fixture
def rows():
    """Texts, labels and lines: 40 lines, whose rows have one word in ten thousand and their line's trade."""
    rng = np.random.default_rng(0)
    lines = np.repeat(np.arange(N_LINES), N_PER_LINE)
    texts = [f"{rng.integers(10_000)} trade{line}" for line in lines]
    return texts, [LABELS[line % 3] for line in lines], [f"line{line}" for line in lines]


def planted(texts, labels, word, chance):
    """Add a word to rows with a chance by label."""
    rng = np.random.default_rng(1)
    return [
        f"{text} {word}" if rng.random() < chance[label] else text for text, label in zip(texts, labels, strict=True)
    ]


def test_a_word_that_leans_in_many_lines_is_found_with_its_shares(rows):
    texts, labels, lines = rows
    # A row that says it twice is one row.
    texts = planted(texts, labels, "confirm Confirm", {"BPO": 0.2, "KPO": 0.02, "NEITHER": 0.02})
    (found,) = lopsided_words(texts, labels, lines)
    has = ["confirm" in text for text in texts]
    of_label = [label for label, yes in zip(labels, has, strict=True) if yes]
    assert (found.word, found.label, found.rows) == ("confirm", "BPO", sum(has))
    assert found.share == round(of_label.count("BPO") / sum(has), 3)
    assert found.usual_share == round(labels.count("BPO") / len(labels), 3)
    assert found.lines == len({line for line, yes in zip(lines, has, strict=True) if yes})


def test_a_word_that_a_label_lacks_is_found_under_that_label(rows):
    texts, labels, lines = rows
    (found,) = lopsided_words(planted(texts, labels, "online", {"BPO": 0.2, "KPO": 0.2, "NEITHER": 0}), labels, lines)
    assert (found.word, found.label, found.share) == ("online", "NEITHER", 0)


def test_of_two_labels_the_one_leant_to_is_named(rows):
    texts, _, lines = rows
    labels = ["Yes" if int(line[4:]) % 2 else "No" for line in lines]
    (found,) = lopsided_words(planted(texts, labels, "confirm", {"Yes": 0.2, "No": 0.02}), labels, lines)
    assert (found.word, found.label) == ("confirm", "Yes")


def test_even_words_and_words_that_lean_a_little_are_not_listed(rows):
    texts, labels, lines = rows
    texts = planted(texts, labels, "please", {"BPO": 0.3, "KPO": 0.3, "NEITHER": 0.3})
    # So frequent that chance is out of the question, but not three times the odds.
    texts = planted(texts, labels, "the", {"BPO": 0.6, "KPO": 0.4, "NEITHER": 0.4})
    assert lopsided_words(texts, labels, lines) == []


def test_words_of_one_trade_are_told_apart_by_service_lines_alone(rows):
    texts, labels, lines = rows
    assert lopsided_words(texts, labels, lines) == []
    by_row = lopsided_words(texts, labels)
    assert {found.word for found in by_row} == {f"trade{i}" for i in range(N_LINES)}
    assert {found.lines for found in by_row} == {None}
    # Blank lines are no line.
    without = lopsided_words(texts, labels, [""] * len(texts))
    assert [found.lines for found in without] == [0] * N_LINES


def test_a_row_astray_in_a_line_leaves_words_of_trades_unlisted(rows):
    texts, labels, lines = rows
    labels[0] = "KPO"
    assert lopsided_words(texts, labels, lines) == []


def test_a_word_that_leans_within_lines_of_all_labels_is_found(rows):
    texts, _, lines = rows
    labels = list(np.random.default_rng(2).choice(LABELS, len(texts)))
    (found,) = lopsided_words(planted(texts, labels, "urgent", {"BPO": 0.3, "KPO": 0, "NEITHER": 0}), labels, lines)
    assert (found.word, found.label, found.share) == ("urgent", "BPO", 1)


def test_rare_words_are_not_listed():
    assert lopsided_words(["a", "b"], ["BPO", "KPO"]) == []
    texts = [f"{i} rare" if i < 19 else f"{i} other" for i in range(200)]
    labels = ["BPO"] * 100 + ["KPO"] * 100
    assert lopsided_words(texts, labels) == []
    assert [found.word for found in lopsided_words([*texts, "rare"], [*labels, "BPO"])] == ["rare"]


def test_what_it_needs_is_said():
    with pytest.raises(DataError, match="at least two labels and, if there are service lines, 20 of them"):
        lopsided_words(["a"] * 40, ["BPO"] * 40)
    with pytest.raises(DataError, match="20 of them"):
        lopsided_words(["a"] * 40, ["BPO", "KPO"] * 20, ["x", "y"] * 20)


def random_data(rng, kind):
    """Which row has which word, as its line decides, and labels given at random to lines, or to rows of lines."""
    groups = np.repeat(np.arange(30), rng.integers(5, 60, 30))
    # Most words are of few lines, as those of a trade are.
    rates = rng.beta(0.1, 2, (30, 25))
    has = scipy.sparse.csr_matrix((rng.random((len(groups), 25)) < rates[groups]).astype(float))
    mixes = rng.dirichlet([2, 1, 1], 30) if kind == "mixed lines" else np.eye(3)[rng.choice(3, 30, p=[0.5, 0.3, 0.2])]
    codes = np.array([rng.choice(3, p=mixes[group]) for group in groups])
    return has, codes, groups


def is_alarm(rng, kind):
    has, codes, groups = random_data(rng, "pure lines" if kind == "lines ignored" else kind)
    scores, limit = _scores(has, codes, np.arange(len(codes)) if kind == "lines ignored" else groups, rng)
    return abs(scores).max() > limit


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pure lines", "mixed lines"])
def test_random_labels_raise_an_alarm_in_5_of_100_data_sets(kind):
    rng = np.random.default_rng(0)
    n = 80
    alarms = sum(is_alarm(rng, kind) for _ in range(n))
    low, high = stats.binom.interval(0.999, n, 0.05)
    assert low <= alarms <= high


def test_random_labels_of_lines_would_raise_alarms_if_rows_were_counted():
    rng = np.random.default_rng(0)
    assert all(is_alarm(rng, "lines ignored") for _ in range(10))


@pytest.mark.parametrize("kind", ["pure lines", "mixed lines"])
def test_scores_are_in_standard_deviations_of_brute_force(kind):
    rng = np.random.default_rng(0)
    has, codes, groups = random_data(rng, kind)
    scores, _ = _scores(has, codes, groups, rng)
    one_hot, dense = np.eye(3)[codes], has.toarray()
    excess = one_hot.T @ dense - np.outer(one_hot.sum(axis=0), dense.mean(axis=0))
    # Within lines, every row gets the label of another of its line; between, every line the mix of another.
    within, between = [], []
    line = np.eye(30)[groups]
    size, counts = line.sum(axis=0), line.T @ dense
    mixes = line.T @ one_hot / size[:, None]
    for _ in range(2000):
        shuffled = one_hot[np.lexsort((rng.random(len(codes)), groups))]
        within.append(shuffled.T @ dense)
        of_line = mixes[rng.permutation(30)]
        between.append(of_line.T @ (counts - np.outer(size, dense.mean(axis=0))))
    deviation = np.sqrt(np.var(within, axis=0) + np.var(between, axis=0))
    assert scores == pytest.approx(excess / deviation, rel=0.1, abs=0.05)


def test_scores_of_rows_without_lines_are_those_of_chi_square():
    rng = np.random.default_rng(0)
    has, codes, _ = random_data(rng, "pure lines")
    n = len(codes)
    scores, _ = _scores(has, codes, np.arange(n), rng)
    for label, word in [(0, 0), (1, 3), (2, 20)]:
        is_label, has_word = codes == label, has.toarray()[:, word] > 0
        table = [[np.sum((is_label == a) & (has_word == b)) for a in (True, False)] for b in (True, False)]
        square = stats.chi2_contingency(table, correction=False).statistic
        assert scores[label, word] ** 2 == pytest.approx(square * (n - 1) / n)


def test_the_guide_is_quoted_at_the_first_line_with_the_whole_word():
    long = "x" * 100
    guide = f"Proofreaders\n- | proofreading | BPO |\nProofreading again\n{long} Key {long}"
    found = first_mentions(guide)
    assert found["proofreading"] == "proofreading | BPO"
    assert "proof" not in found
    assert " Key " in found["key"]
    assert found["key"][0] == found["key"][-1] == "…"
    assert len(found["key"]) <= 82
