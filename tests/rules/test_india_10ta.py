"""The rules that ship for India's rule 10TA: each entry of the statute is answered as it says, by its own rule."""

import re

import pytest

from outsort.prediction import default_model, predict
from outsort.rules.reading import load

#: Income-tax Rules 1962 (India), rule 10TA: (e), information technology enabled services, and (g), knowledge process
#: outsourcing services.
ENTRIES = {
    "BPO": [
        "back office operations",
        "call centres or contact centre services",
        "data processing and data mining",
        "insurance claim processing",
        "legal databases",
        "creation and maintenance of medical transcription excluding medical advice",
        "translation services",
        "payroll",
        "remote maintenance",
        "revenue accounting",
        "support centres",
        "website services",
        "data search integration and analysis",
        "remote education excluding education content development",
        "clinical database management services excluding clinical trials",
    ],
    "KPO": [
        "geographic information system",
        "human resources services",
        "engineering and design services",
        "animation or content development and management",
        "business analytics",
        "financial analytics",
        "market research",
    ],
}


@pytest.fixture(scope="module")
def rules():
    return load("india-10ta", default_model())


def entry_of(prediction):
    """The entry of the rule that decided: rules for other words of an entry have a number behind it."""
    return re.sub(r" \(\d\)$", "", prediction.ruling.rule or "")


@pytest.mark.parametrize("written", [str, str.upper, "Provision of {}.".format])
def test_every_entry_is_answered_by_its_own_rule(rules, written):
    entries = [(entry, label) for label, of_label in ENTRIES.items() for entry in of_label]
    answers = predict([written(entry) for entry, _ in entries], rules=rules)
    assert [(entry_of(answer), answer.label, answer.decision) for answer in answers] == [
        (entry, label, "accept") for entry, label in entries
    ]


def test_every_rule_is_of_an_entry_and_names_the_source(rules):
    for rule in rules.rules:
        assert re.sub(r" \(\d\)$", "", rule.name) in ENTRIES[rule.label]
        letter = "e" if rule.label == "BPO" else "g"
        assert rule.why.startswith(f"Income-tax Rules 1962 (India), rule 10TA({letter})")


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("Medical transcription", ENTRIES["BPO"][5]),
        ("Medical transcription with medical advice to patients", ""),
        ("Online classes for school pupils", ENTRIES["BPO"][13]),
        ("Online classes: development of education content", "animation or content development and management"),
        ("Maintenance of a patient database", ENTRIES["BPO"][14]),
        ("Maintenance of a patient database for a clinical trial", ""),
    ],
)
def test_what_the_statute_excludes_is_not_decided_by_that_entry(rules, text, entry):
    assert entry_of(predict(text, rules=rules)) == entry
