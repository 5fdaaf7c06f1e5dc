"""Categories certified on a sample: the model keeps it, and says so wherever it answers."""

import json

import numpy as np
import pandas as pd
import pytest

from outsort import model_file, taxonomy
from outsort.evaluation.categories import read_categories
from outsort.improving.certify_categories import _slope, _sloped, certify_categories
from outsort.scoring.frames import score
from outsort.training import folds, train

WORDS = {
    "ledger": ["invoice", "payroll"], "diary": ["booking", "minutes"],
    "rights": ["patent", "trademark"], "value": ["valuation", "forecast"],
}  # fmt: skip
LABELS = {"ledger": "BPO", "diary": "BPO", "rights": "KPO", "value": "KPO"}
#: The categories cross the labels.
ROWS = ["ledger,M,Money,", "value,M,Money,", "diary,P,Paper,", "rights,P,Paper,"]


def frame_of(n, seed, noise):
    """Texts of two words of a line and a filler; a share ``noise`` of them has the words of another line."""
    rng = np.random.default_rng(seed)
    lines = rng.choice(list(WORDS), n)
    said = [rng.choice(list(WORDS)) if rng.random() < noise else line for line in lines]
    texts = [f"{' '.join(rng.permutation(WORDS[one]))} w{seed}x{i}" for i, one in enumerate(said)]
    money = np.where(np.isin(lines, ["ledger", "value"]), "M", "P")
    return pd.DataFrame({"text": texts, "label": [LABELS[x] for x in lines], "service_line": lines, "category": money})


@pytest.fixture(scope="module")
def trained():
    return train.train(frame_of(200, 0, 0.02).drop(columns="category"), checks=folds.Checks(folds=0))


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["line,code,name,note", *ROWS]), encoding="utf-8")
    return path


@pytest.fixture
def sample(tmp_path):
    path = tmp_path / "sample.csv"
    frame_of(300, 1, 0.1).to_csv(path, index=False)
    return path


def test_the_slope_is_the_one_that_answers_were_raised_by():
    rng = np.random.default_rng(0)
    true = rng.dirichlet(np.ones(3), 4_000)
    codes = (rng.random((4_000, 1)) > true.cumsum(axis=1)).sum(axis=1)
    assert _slope(np.log(true), codes) == pytest.approx(1, abs=0.08)
    assert _slope(np.log(true) * 2, codes) == pytest.approx(0.5, abs=0.04)
    assert _sloped(np.log(true) * 2, 0.5) == pytest.approx(true)


def test_a_certified_model_keeps_its_promise_on_other_rows(trained, mine, sample, tmp_path):
    samples = read_categories(sample, taxonomy.load(mine, trained))
    certified, found = certify_categories(trained, samples, is_random=True, target_precision=0.85)
    assert found["category"].certificate.coverage > 0.5
    model_file.save(certified, tmp_path / "mine.joblib")
    loaded = model_file.load(tmp_path / "mine.joblib")
    assert loaded.fingerprint == certified.fingerprint != trained.fingerprint
    rest = frame_of(500, 2, 0.1)
    scored = score(rest[["text"]], loaded, taxonomy=taxonomy.load(mine, loaded))
    assert set(scored["category_decision"]) <= {"accept", "review"}
    accepted = scored["category_decision"] == "accept"
    right = (scored["category"] == rest["category"])[accepted]
    assert right.mean() >= 0.85
    assert scored["category_probability"][accepted].mean() == pytest.approx(right.mean(), abs=0.06)
    # The labels are as before, and another taxonomy is not certified.
    assert scored["p_BPO"].tolist() == score(rest[["text"]], trained)["p_BPO"].tolist()
    mine.write_text(mine.read_text(encoding="utf-8").replace("Money", "Cash"), encoding="utf-8")
    assert np.isnan(taxonomy.load(mine, loaded).axes[0].threshold)


@pytest.mark.slow
def test_commands_certify_evaluate_and_predict(outsort, trained, mine, sample, tmp_path):
    base, output = tmp_path / "base.joblib", tmp_path / "certified.joblib"
    model_file.save(trained, base)
    certify = ["certify", sample, "-m", base, "--taxonomy", mine, "-o", output]
    assert outsort(*certify).code == 3
    assert not output.exists()
    done = outsort(*certify, "--random-sample", "--target-precision", 0.85)
    assert done.out.startswith("category: 300 texts, 300 rows drawn: at threshold ")
    answer = json.loads(outsort("predict", "patent trademark", "-m", output, "--taxonomy", mine, "-f", "jsonl").out)
    assert (answer["label"], answer["category"], answer["category_decision"]) == ("KPO", "P", "accept")
    frame_of(100, 3, 0.1).to_csv(tmp_path / "other.csv", index=False)
    measured = json.loads(outsort("evaluate", tmp_path / "other.csv", "-m", output, "--taxonomy", mine, "--json").out)
    assert measured["category"]["decision"]["precision"] >= 0.8
    assert (
        measured["category"]["decision"]["threshold"] == taxonomy.load(mine, model_file.load(output)).axes[0].threshold
    )
    # The sample has been used: it promises nothing again.
    again = outsort("certify", sample, "-m", output, "--taxonomy", mine, "-o", tmp_path / "b.joblib", "--random-sample")
    assert "certified on them before" in again.err
