import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outsort.data.identity import same_text
from outsort.errors import DataError
from outsort.improving.check import check, label_errors, not_text, style_test
from outsort.improving.findings import Example, Limits
from outsort.improving.near_duplicates import near_duplicates

WORDS = {  # of one length, so that nothing but the words themselves tells the label
    "BPO": ["index", "stamp", "merge", "print", "label", "enter", "check", "photo", "clerk", "queue"],
    "KPO": ["model", "prove", "solve", "draft", "study", "value", "argue", "infer", "adapt", "shape"],
}


@pytest.fixture
def clean():
    """Eighty rows whose labels follow from their words, in one manner."""
    rng = np.random.default_rng(0)
    rows = [
        (" ".join(rng.choice(WORDS[label], 4)) + f" {rng.integers(10**9)}", label) for label in WORDS for _ in range(40)
    ]
    return pd.DataFrame(rows, columns=["text", "label"])


def five_grams(text):
    plain = same_text(text)
    return {plain[i : i + 5] for i in range(max(1, len(plain) - 4))}


def by_brute_force(texts, limit):
    grams = [five_grams(text) for text in texts]
    pairs = ((i, j) for j in range(len(texts)) for i in range(j))
    return {(i, j) for i, j in pairs if len(grams[i] & grams[j]) >= limit * len(grams[i] | grams[j]) - 1e-9}


phrases = st.lists(st.sampled_from(["invoice", "entry", "clerk", "of", "legal", "a"]), min_size=1, max_size=6)


@given(
    texts=st.lists(st.one_of(phrases.map(" ".join), st.text(max_size=12)), max_size=25),
    limit=st.sampled_from([0.3, 0.5, 0.6, 2 / 3, 0.9, 1.0]),
)
def test_near_duplicates_are_those_of_comparing_all_with_all(texts, limit):
    found = list(near_duplicates(texts, limit))
    assert {(i, j) for i, j, _ in found} == by_brute_force(texts, limit)
    assert len(found) == len({(i, j) for i, j, _ in found})


def test_near_duplicates_are_found_across_the_parts_that_memory_allows(monkeypatch):
    monkeypatch.setattr("outsort.improving.near_duplicates._MEETINGS", 50)
    alike = [f"process the invoices of supplier {i}" for i in range(200)]
    assert len(list(near_duplicates(alike, 0.6))) == 200 * 199 / 2


@pytest.mark.parametrize("limit", [0.4, 0.6, 0.8])
def test_near_duplicates_among_texts_of_all_lengths_are_those_of_comparing_all_with_all(limit):
    # A text with words left off its end, which makes it shorter, comes as near to it as the limit and nearer.
    rng = np.random.default_rng(0)
    whole = [" ".join(rng.choice(WORDS["BPO"] + WORDS["KPO"], 30)) for _ in range(12)]
    texts = [" ".join(text.split()[:n]) for text in whole for n in range(5, 31, 3)]
    pairs = {(i, j) for i, j, _ in near_duplicates(texts, limit)}
    assert len(pairs) > 40
    assert pairs == by_brute_force(texts, limit)


def test_a_clean_set_passes(clean):
    result = check(clean, limits=Limits(near_duplicate=0.9, style=0.75))
    assert result.failed == []
    assert result.by_label == {"BPO": 40, "KPO": 40}
    assert result.label_errors.n == 0


@pytest.mark.parametrize(
    ("rows", "name", "finding"),
    [
        ([(" ", "BPO")], "empty", {"row": 80}),
        ([("12,5", "BPO")], "not_text", {"row": 80, "why": "no letters"}),
        ([("odd", "XX")], "rare_labels", {"row": 80, "label": "XX"}),
        ([("Tie a Bow", "BPO"), ("tie  a bow", "BPO")], "exact_duplicates", {"row": 81, "other_row": 80}),
        ([("tie a bow", "BPO"), ("tie a bow", "KPO")], "two_labels", {"row": 81, "other_row": 80}),
        (
            [("tie one hundred bows", "BPO"), ("tie one hundred bow", "BPO")],
            "near_duplicates",
            {"row": 80, "other_row": 81, "similarity": 0.938},
        ),
    ],
)
def test_each_fault_is_found_with_its_row(clean, rows, name, finding):
    data = pd.concat([clean, pd.DataFrame(rows, columns=["text", "label"])], ignore_index=True)
    result = check(data, limits=Limits(near_duplicate=0.9, style=1))
    found = getattr(result, name)
    assert found.n == 1
    assert found.worst[0].to_dict().items() >= finding.items()
    assert name in result.failed


def test_a_line_under_two_labels_and_thin_lines_are_found(clean):
    clean["service_line"] = ["keying"] * 39 + ["odd"] + ["law"] * 38 + ["keying"] * 2
    result = check(clean, limits=Limits(near_duplicate=1, style=1, min_rows=5))
    assert result.lines_of_two_labels.n == 2
    assert result.thin_lines.worst == [Example(line="odd", rows=1)]
    assert result.label_errors.n == 0


def test_rows_that_say_too_little_are_allowed_to_look_so(clean):
    clean["service_line"] = ["keying"] * 40 + ["law"] * 40
    little = pd.DataFrame({"text": ["PO 4500123"], "label": "UNCLEAR", "service_line": ""})
    data = pd.concat([clean, little], ignore_index=True)
    result = check(data, limits=Limits(near_duplicate=1, style=1, min_rows=5))
    assert (result.not_text.n, result.thin_lines.n) == (0, 0)
    assert result.by_line == {"keying": 40, "law": 40}
    assert check(data.assign(label="BPO"), limits=Limits(near_duplicate=1, style=1)).not_text.n == 1


def test_a_label_turned_round_is_suspected(clean):
    clean.loc[5, "label"] = "KPO"
    (suspect,) = check(clean, limits=Limits(near_duplicate=1, style=1)).label_errors.worst
    assert suspect.row == 5
    assert (suspect.label, suspect.probably) == ("KPO", "BPO")
    assert suspect.probability_of_label < 0.5


@pytest.mark.slow
def test_style_that_tells_the_label_is_noticed_and_content_is_not():
    rng = np.random.default_rng(0)
    content = [(" ".join(rng.choice(WORDS[label], 4)), label) for label in WORDS for _ in range(100)]
    labels = [label for _, label in content]
    assert style_test([text for text, _ in content], labels).accuracy < 0.65
    shouted = [text.upper() if label == "KPO" else text for text, label in content]
    assert style_test(shouted, labels).accuracy > 0.95


@pytest.mark.slow
def test_style_is_judged_as_if_both_labels_had_as_many_rows():
    # 95 % of KPO rows are in capitals and 35 % of BPO rows, of which there are ten times as many. The best
    # guess takes capitals for KPO: recalls of 0.95 and 0.65, mean 0.80. Calling everything BPO is right in
    # ten rows of eleven, and has a mean recall of 0.5.
    rng = np.random.default_rng(0)
    rows = [
        ("KPO" if is_kpo else "BPO", rng.random() < (0.95 if is_kpo else 0.35))
        for is_kpo in [True] * 100 + [False] * 1000
    ]
    words = WORDS["BPO"] + WORDS["KPO"]
    texts = [" ".join(rng.choice(words, 4)) for _ in rows]
    texts = [text.upper() if shouted else text for text, (_, shouted) in zip(texts, rows, strict=True)]
    found = style_test(texts, [label for label, _ in rows])
    assert found.accuracy == pytest.approx(0.80, abs=0.05)


@pytest.mark.slow
def test_style_without_a_signal_is_at_chance_however_uneven_the_labels():
    # Nine BPO rows to one KPO, all in one manner: calling everything BPO, or KPO, is right in 0.9, or 0.1.
    labels = ["BPO"] * 900 + ["KPO"] * 100
    assert style_test(["draft model"] * 1000, labels).accuracy == 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("n_labels", "limit"), [(2, 0.6), (3, 1 / 3 + 0.2 * 2 / 3), (8, 1 / 8 + 0.2 * 7 / 8)])
def test_the_limit_of_style_is_as_far_from_chance_whatever_the_number_of_labels(n_labels, limit):
    labels = [f"label {i}" for i in range(n_labels) for _ in range(50)]
    found = style_test(["draft model"] * len(labels), labels, 0.6)
    assert (found.accuracy, found.chance) == (pytest.approx(1 / n_labels), 1 / n_labels)
    assert (found.limit, found.n_failing) == (pytest.approx(limit), 0)
    # One label is told from all others, which are guessed: recalls of 1 and, in sum, 1.
    shouted = style_test(["DRAFT" if label == "label 0" else "draft" for label in labels], labels, 0.6)
    assert (shouted.accuracy, shouted.n_failing) == (pytest.approx(2 / n_labels), n_labels < 8)


def test_what_is_out_of_scope_is_no_part_of_the_style_test():
    labels = ["Access"] * 10 + ["Billing"] * 10 + ["None of these"] * 10
    texts = ["draft model"] * 20 + ["DRAFT MODEL!"] * 10
    assert style_test(texts, labels).n == 20


@pytest.fixture
def own():
    """Ninety tickets of labels of the user's own, one of them misspelled in case."""
    rng = np.random.default_rng(0)
    words = {"Billing": WORDS["BPO"], "Network": WORDS["KPO"], "Other": ["party", "lunch", "cheer", "sunny", "happy"]}
    rows = [(" ".join(rng.choice(words[label], 4)) + f" {i}", label) for label in words for i in range(30)]
    return pd.DataFrame(rows, columns=["text", "label"])


@pytest.mark.slow
def test_labels_of_ones_own_are_checked_like_any(own):
    own.loc[0, "label"] = "billing"
    own.loc[31, "label"] = "Other"
    result = check(own, limits=Limits(near_duplicate=1, style=1))
    assert result.by_label == {"Other": 31, "Billing": 30, "Network": 29}
    assert result.rare_labels.n == 0
    (suspect,) = result.label_errors.worst
    assert (suspect.row, suspect.label, suspect.probably) == (31, "Other", "Network")
    assert result.style.chance == pytest.approx(1 / 3)


@pytest.mark.slow
def test_labels_of_too_few_rows_leave_the_others_to_be_judged(own):
    few = pd.DataFrame({"text": ["fold a crane", "fold a boat"], "label": "Origami"})
    result = check(pd.concat([own, few], ignore_index=True), limits=Limits(near_duplicate=1, style=1))
    (left_out,) = result.left_out
    assert left_out == "style, label errors and lopsided words: without the labels of fewer than 5 rows: Origami"
    assert (result.style.n, result.label_errors.n) == (90, 0)


@pytest.mark.slow
@pytest.mark.parametrize("leak", ["whether draft", "draft a model", "draft model.", "Draft model"])
def test_a_planted_leak_is_measured_for_what_it_is(leak):
    # It marks 60 % of KPO rows and 20 % of BPO rows, and nothing else differs. The best guess takes it for
    # KPO: recalls of 0.6 and 0.8.
    labels = ["BPO"] * 500 + ["KPO"] * 100
    texts = [leak if i % 5 < (3 if label == "KPO" else 1) else "draft model" for i, label in enumerate(labels)]
    found = style_test(texts, labels)
    assert (found.accuracy, found.n, found.n_failing) == (pytest.approx(0.7), 600, 1)


def test_without_labels_it_says_what_it_can_and_what_it_left_out(clean, tmp_path):
    path = tmp_path / "one-column.csv"
    clean[["text"]].rename(columns={"text": "Was"}).to_csv(path, index=False)
    result = check(path)
    assert result.n == 80
    assert result.near_duplicates.n >= 0
    assert result.left_out == ["labels: there is no label column; name one with --label-column"]


def test_too_few_rows_for_folds_are_said_not_stumbled_over(clean):
    result = check(clean.iloc[[0, 1, 2, 79]])
    needs = "needs at least 5 rows of each of two labels"
    assert result.left_out[:2] == [f"style: {needs}", f"label errors: {needs}"]
    assert [what.split(":")[0] for what in result.left_out[2:]] == ["lopsided words"]


def test_more_rows_than_the_limits_are_sampled_and_said(clean):
    result = check(clean, limits=Limits(max_compared=30, max_modelled=40))
    assert result.left_out[0] == "near duplicates: searched in a random sample of 30 rows"
    assert result.style.n == 40


@pytest.mark.slow
def test_long_rows_are_compared_by_their_beginning_and_it_is_said(clean):
    clean.loc[0, "text"] = "x" * 100_000
    assert "compared 1 long texts by their first 5,000 characters" in check(clean).left_out[0]


def test_a_missing_extra_is_named_with_the_way_to_get_it(clean, monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(DataError, match=r"pip install 'outsort\[check\]'"):
        label_errors(clean["text"].tolist(), clean["label"].tolist())
    assert any("label errors: needs cleanlab" in what for what in check(clean).left_out)


@pytest.fixture
def leaning(clean, tmp_path):
    """The clean set, each row with "promptly" if it is BPO, and a guide that speaks of that word alone."""
    clean["text"] += np.where(clean["label"] == "BPO", " promptly", " slowly")
    (tmp_path / "guide.md").write_text("# Guide\n\n- Work done **promptly** may be either.\n")
    return clean, tmp_path / "guide.md"


@pytest.mark.slow
def test_lopsided_words_are_for_a_person_to_judge_beside_the_guide(leaning):
    data, guide = leaning
    result = check(data, guide=guide, limits=Limits(near_duplicate=1, style=1))
    by_word = {found.word: found for found in result.lopsided_words.worst}
    assert by_word["promptly"].guide == "Work done **promptly** may be either."
    assert by_word["slowly"].guide == ""
    assert "lopsided_words" not in result.failed
    assert {found.guide for found in check(data).lopsided_words.worst} == {None}


def test_lopsided_words_that_need_more_lines_are_said_to_be_skipped(clean):
    clean["service_line"] = clean["label"]
    result = check(clean)
    assert result.lopsided_words is None
    assert any(what.startswith("lopsided words: needs at least") for what in result.left_out)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Key invoices", None),
        ("", None),
        ("42", "no letters"),
        ("bad \x00 byte", "damaged characters"),
        ("b\ufffdse", "damaged characters"),
        ("Ã©tude de marchÃ©", "text in the wrong encoding"),
        ("https://example.com/job/1", "an address only"),
        ("a 1234567890 %%%%", "mostly punctuation and digits"),
        ("翻訳 work", None),
    ],
)
def test_what_is_no_description_is_told_why(text, why):
    assert not_text(text) == why


class TestCommand:
    @pytest.fixture
    def path(self, clean, tmp_path):
        clean.to_csv(tmp_path / "d.csv", index=False)
        return tmp_path / "d.csv"

    def test_it_prints_each_check_and_its_verdict(self, outsort, path):
        path.write_text(path.read_text() + "Tie bows,BPO\ntie bows,KPO\n")
        done = outsort("check", path, "--similarity", "0.95")
        assert done.code == 0
        for words in ("82 rows, utf-8", "texts with conflicting labels", "FAILS", "row   other row   text"):
            assert words in done.out

    def test_strict_exits_with_3_and_says_which_limit(self, outsort, path):
        path.write_text(path.read_text() + "Tie bows,BPO\ntie bows,KPO\n")
        done = outsort("check", path, "--strict", "--similarity", "0.95", "--max-style", "1")
        assert done.code == 3
        read = f"{path}: text column 'text', 82 rows\n"
        assert done.err == f"{read}outsort: {path}: over the limit: exact_duplicates, two_labels\n"

    def test_strict_passes_what_is_within_the_limits(self, outsort, path):
        done = outsort("check", path, "--strict", "--similarity", "0.95", "--max-style", "1")
        assert (done.code, done.err) == (0, f"{path}: text column 'text', 80 rows\n")

    @pytest.mark.slow
    def test_json_is_what_python_returns(self, outsort, path):
        assert json.loads(outsort("check", path, "--json").out) == check(path).to_dict()

    def test_lopsided_words_are_listed_with_what_the_guide_says(self, outsort, leaning, tmp_path):
        data, guide = leaning
        data.to_csv(tmp_path / "d.csv", index=False)
        done = outsort("check", tmp_path / "d.csv", "--guide", guide, "--show", "50")
        assert "word       rows   label   share   usual share   guide" in done.out
        assert "promptly     40   BPO       1.0           0.5   Work done **promptly** may be either." in done.out
        assert "slowly       40   KPO       1.0           0.5  " in done.out

    def test_a_guide_that_cannot_be_read_is_said(self, outsort, path, tmp_path):
        done = outsort("check", path, "--guide", tmp_path / "none.md")
        assert done.code == 1
        assert "none.md: " in done.err
        assert "--guide" in done.err

    def test_what_was_left_out_is_said_on_stderr(self, outsort, tmp_path):
        (tmp_path / "d.csv").write_text("Beschreibung\nRechnungen tippen\n")
        done = outsort("check", tmp_path / "d.csv")
        assert done.code == 0
        read, skipped, *_ = done.err.splitlines()
        assert read == f"{tmp_path}/d.csv: text column 'Beschreibung', 1 row"
        assert skipped.startswith("skipped: labels: there is no label column")

    def test_a_file_without_a_text_column_names_the_columns(self, outsort, tmp_path):
        (tmp_path / "d.csv").write_text("a,b\n1,2\n")
        done = outsort("check", tmp_path / "d.csv")
        assert done.code == 1
        assert "no text column; it has 'a', 'b'. Name one with --text-column." in done.err
