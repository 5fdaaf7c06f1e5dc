import pandas as pd
import pytest

from outsort.data.dataset import read
from outsort.data.label_map import meanings_of, proposal, translated
from outsort.errors import DataError

MAP = {"transactional": "BPO", "knowledge work": "KPO"}


@pytest.mark.parametrize(
    "given",
    [
        {"Transactional": "BPO", "Knowledge Work": "KPO"},
        "Transactional=BPO,Knowledge work=KPO",
        " Transactional = BPO , KNOWLEDGE WORK=KPO,transactional=BPO",
    ],
)
def test_meanings_are_read_whatever_the_case(given):
    assert meanings_of(given) == MAP


@pytest.mark.parametrize("header", ["mine,label\n", ""])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_table_of_two_columns_with_or_without_a_header(tmp_path, header, delimiter):
    path = tmp_path / "map.csv"
    path.write_text(f"{header}Transactional,BPO\nKnowledge work,KPO\n\n".replace(",", delimiter))
    assert MAP.items() <= meanings_of(str(path)).items()
    assert translated(["TRANSACTIONAL", "Knowledge work", "NEITHER", ""], meanings_of(str(path))) == [
        "BPO", "KPO", "NEITHER", "",
    ]  # fmt: skip


def test_labels_with_commas_and_equals_signs_go_through_a_table(tmp_path):
    path = tmp_path / "a=b.csv"
    path.write_text('own,label\n"a, b=c",BPO\n')
    assert meanings_of(str(path))["a, b=c"] == "BPO"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Transactional=", r"--label-map: 'Transactional=' says no meaning\. Write --label-map"),
        ("a=BPO,b", r"--label-map: 'b' says no meaning"),
        ("a=BPO,A=KPO", r"--label-map: 'A' means 'BPO' and 'KPO'\. Keep one\."),
        ("missing.csv", r"missing\.csv"),
    ],
)
def test_what_says_no_meaning_is_named(given, message):
    with pytest.raises(DataError, match=message):
        meanings_of(given)


def test_a_table_of_three_columns_is_refused(tmp_path):
    (tmp_path / "m.csv").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(DataError, match=r"m\.csv: has 3 columns\. Write --label-map"):
        meanings_of(str(tmp_path / "m.csv"))


FRAME = pd.DataFrame(
    {
        "Task": ["key invoices", "draft a patent", "file letters", "value a bank"],
        "label": ["Transactional", "knowledge", "BPO", "Knowledge"],
    }
)


def test_labels_of_ones_own_words_are_learnt_as_what_they_mean():
    dataset = read(FRAME, label_map="transactional=BPO,Knowledge=KPO")
    assert dataset.labels == ["BPO", "KPO", "BPO", "KPO"]
    assert dataset.merged == {"Transactional": "BPO", "knowledge": "KPO", "Knowledge": "KPO"}
    same = read(FRAME.assign(label=dataset.labels))
    assert dataset.fingerprint == same.fingerprint


def test_labels_that_a_model_does_not_know_are_proposed_as_a_map():
    with pytest.raises(DataError) as caught:
        read(FRAME, known_labels=["BPO", "KPO"], for_training=False)
    assert str(caught.value).endswith(
        ' If they are your own words: --label-map "Transactional=LABEL,knowledge=LABEL", with BPO or KPO for each '
        "LABEL."
    )
    told = read(FRAME, known_labels=["BPO", "KPO"], for_training=False, label_map="Transactional=BPO,knowledge=KPO")
    assert told.labels == ["BPO", "KPO", "BPO", "KPO"]


def test_a_meaning_that_the_model_does_not_know_is_refused():
    with pytest.raises(DataError, match="label 'XPO' is not one of BPO, KPO"):
        read(FRAME, known_labels=["BPO", "KPO"], for_training=False, label_map="Transactional=XPO,Knowledge=KPO")


def test_a_long_proposal_is_cut():
    assert proposal([f"w{i}" for i in range(20)], ["BPO"]).count("=LABEL") == 8
    assert proposal([], ["BPO"]) == ""
