"""Learning from corrections: what came of them, and the models that are kept."""

import pandas as pd
import pytest

from outsort.data.identity import key_of
from outsort.improving.history import History
from outsort.improving.learn import learn

THINGS = ["ledgers", "deeds", "wills", "bills", "patents", "receipts", "leases", "claims", "orders", "forms"]
RIGHT = {f"{verb} {thing}": label for verb, label in (("punch", "BPO"), ("litigate", "KPO")) for thing in THINGS}


@pytest.fixture
def corrections(tmp_path):
    """Twenty texts of two verbs that the small model does not know, as the page writes them."""
    path = tmp_path / "corrections.csv"
    rows = [(key_of(text), text, label, "Ada") for text, label in RIGHT.items()]
    pd.DataFrame(rows, columns=["key", "text", "label", "reviewer"]).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_what_is_new_is_learnt_once(corrections, csv_file, model):
    steps = []
    lesson, better = learn(corrections, csv_file, model, shares={"NEITHER": 0.25}, tell=steps.append)
    assert steps == ["merging", "training"]
    assert (lesson.added, lesson.filled, lesson.known, lesson.rows, lesson.problems) == (20, 0, 0, 35, [])
    assert (lesson.base, lesson.model, lesson.is_better) == (model.fingerprint, better.fingerprint, True)
    assert lesson.comparison.new_rows == 20
    assert better.predict(["punch contracts", "litigate contracts"]).tolist() == ["BPO", "KPO"]
    assert better.prior[list(better.labels).index("NEITHER")] == pytest.approx(0.25, abs=0.01)
    # The model that came of it knows them all.
    again, none = learn(corrections, csv_file, better)
    assert (again.added, again.known, again.model, again.comparison, none) == (0, 20, "", None, None)
    assert not again.is_better

    history = History(csv_file)
    assert (history.before(better), history.last(), history.events()) == ("", None, [])
    for kept in (model, better):
        history.keep(kept)
        history.note("use", model=kept.fingerprint, by="Ada")
    assert history.before(better) == model.fingerprint
    assert history.last().fingerprint == better.fingerprint
    assert history.load(model.fingerprint).fingerprint == model.fingerprint
    assert [event["by"] for event in history.events()] == ["Ada", "Ada"]
