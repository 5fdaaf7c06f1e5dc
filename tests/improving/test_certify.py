import numpy as np
import pandas as pd
import pytest

from outsort import model_file
from outsort.data.dataset import read
from outsort.errors import DataError
from outsort.improving.certify import NoSampleError, certify_model
from outsort.improving.queue import DRAWN
from outsort.improving.review import draw
from outsort.model import log_proba
from outsort.training import folds, train

WORDS = {"BPO": ["invoice", "payroll", "filing"], "KPO": ["patent", "valuation", "forecast"], "NEITHER": ["cleaning"]}


def texts_of(label, n, rng, noise):
    """Return n texts with words of a label; a share `noise` of them has words of another label instead."""
    others = [word for of, words in WORDS.items() if of != label for word in words]
    return [
        f"{rng.choice(others if rng.random() < noise else WORDS[label])} w{rng.integers(400)} w{rng.integers(400)}"
        for _ in range(n)
    ]


def frame_of(n, seed, noise):
    rng = np.random.default_rng(seed)
    rows = [(text, label) for label in WORDS for text in texts_of(label, n, rng, noise)]
    frame = pd.DataFrame(rows, columns=["text", "label"]).drop_duplicates("text").sample(frac=1, random_state=seed)
    return frame if seed == 0 else frame[~frame["text"].isin(frame_of(200, 0, 0.02)["text"])]


@pytest.fixture(scope="module")
def trained():
    return train.train(frame_of(200, 0, 0.02), checks=folds.Checks(folds=3, target_precision=0.9))


def sample_of(model, frame):
    return read(frame.reset_index(drop=True), known_labels=model.labels, for_training=False)


@pytest.mark.slow
def test_the_new_model_promises_what_its_sample_shows(trained):
    # The population is noisier than the training rows: the old threshold breaks the promise on it.
    population = frame_of(1_500, 1, 0.12)
    sample = sample_of(trained, population.iloc[:600])
    certified, result = certify_model(trained, sample, is_random=True, target_precision=0.85)
    rest = population.iloc[600:]

    def precision(model):
        proba = model.predict_proba(rest["text"])
        accepted = proba.max(axis=1) >= model.threshold
        return (model.classes_[proba.argmax(axis=1)] == rest["label"])[accepted].mean(), accepted.mean()

    found, coverage = precision(certified)
    assert found >= 0.85
    assert coverage == pytest.approx(result.certificate.coverage, abs=0.06)
    assert result.n_texts == 600
    # Shares are weighed by how often the labels come in the sample.
    expected = [(population["label"].iloc[:600] == label).sum() + 1 for label in trained.labels]
    np.testing.assert_allclose(certified.prior, np.array(expected) / sum(expected))
    # Confidence means what it says again.
    proba = certified.predict_proba(rest["text"])
    right = certified.classes_[proba.argmax(axis=1)] == rest["label"]
    assert proba.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.06)


@pytest.mark.slow
def test_what_goes_to_review_whatever_its_confidence_is_not_accepted(trained):
    # Every second row is a word alone, which is always right and never accepted.
    population = frame_of(300, 4, 0.02)
    words = pd.DataFrame([(word, label) for label in WORDS for word in WORDS[label]], columns=["text", "label"])
    alone = words.iloc[np.arange(len(population)) % len(words)]
    _, result = certify_model(trained, sample_of(trained, pd.concat([population, alone])), is_random=True)
    assert 0 < result.certificate.coverage <= 0.5
    assert 0 < result.more <= 0.5


@pytest.mark.slow
def test_a_calibration_of_a_calibrated_model_is_one_calibration(trained):
    # The oracle: the answers calibrated once more, in two steps.
    sample = sample_of(trained, frame_of(120, 2, 0.1))
    certified, _ = certify_model(trained, sample, is_random=True, target_precision=0.6)
    first = trained.predict_log_proba(sample.texts)
    scores = first - np.log(np.exp(first[:, :2]).sum(axis=1, keepdims=True))
    from outsort.training.calibration import calibrate

    codes = np.array([trained.labels.index(label) for label in sample.labels])
    again, _ = calibrate(codes, scores, np.zeros(len(codes)), np.ones(len(codes)), 2)
    np.testing.assert_allclose(certified.predict_log_proba(sample.texts), log_proba(scores, again, 2), atol=1e-9)


@pytest.mark.slow
def test_the_promise_is_broken_in_at_most_one_sample_of_ten(trained):
    # Half of the answers are to texts as in training, half are guesses; 100 samples of 200.
    population = frame_of(2_000, 3, 0.15)
    rng = np.random.default_rng(0)
    scored = {}
    broken = n_certified = 0
    for _ in range(100):
        chosen = population.iloc[np.sort(rng.choice(len(population), 200, replace=False))]
        certified, result = certify_model(trained, sample_of(trained, chosen), is_random=True, target_precision=0.8)
        if not result.certificate.coverage:
            continue
        n_certified += 1
        if "scores" not in scored:
            log = trained.predict_log_proba(population["text"])
            scored["scores"] = log - np.log(np.exp(log[:, :2]).sum(axis=1, keepdims=True))
        calibration = certified.calibration / np.column_stack([np.ones(3), trained.calibration[:, 1]])
        calibration[:, 0] = certified.calibration[:, 0] - calibration[:, 1] * trained.calibration[:, 0]
        proba = np.exp(log_proba(scored["scores"], calibration, 2))
        accepted = proba.max(axis=1) >= certified.threshold
        right = trained.classes_[proba.argmax(axis=1)] == population["label"]
        broken += right[accepted].mean() < 0.8
    assert n_certified > 40
    assert broken <= 10


@pytest.mark.slow
def test_unclear_counts_as_a_mistake_where_it_is_accepted(trained):
    frame = frame_of(120, 4, 0.0)
    _, clean = certify_model(trained, sample_of(trained, frame), is_random=True, target_precision=0.8)
    frame.loc[frame.index[:100], "label"] = "UNCLEAR"
    _, unclear = certify_model(trained, sample_of(trained, frame), is_random=True, target_precision=0.8)
    assert clean.certificate.coverage > 0.9
    assert unclear.certificate.coverage < clean.certificate.coverage


def test_a_row_counts_as_often_as_it_was_drawn(trained):
    frame = frame_of(80, 5, 0.05)
    times = np.random.default_rng(0).integers(0, 3, len(frame))
    repeated = frame.loc[frame.index.repeat(times)]
    drawn = [certify_model(trained, sample_of(trained, frame.assign(drawn=times.astype(str))), target_precision=0.8)]
    drawn += [certify_model(trained, sample_of(trained, repeated), is_random=True, target_precision=0.8)]
    first, second = (result.certificate for _, result in drawn)
    assert first.n_rows == second.n_rows == times.sum()
    assert first.coverage == pytest.approx(second.coverage, abs=0.1)
    assert first.coverage > 0


def test_a_draw_takes_rows_not_texts():
    # The oracle: the hypergeometric mean. One text has half of the rows.
    n_rows = np.array([50, *[1] * 50])
    counts = np.zeros(51)
    for seed in range(400):
        texts, drawn = draw(n_rows, 20, seed)
        assert drawn.sum() == 20
        counts[texts] += drawn
    assert counts[0] / 400 == pytest.approx(10, abs=0.3)
    np.testing.assert_allclose(counts[1:] / 400, 0.2, atol=0.11)
    assert draw(n_rows, 1000, 0)[1].sum() == 100
    assert not len(draw(np.zeros(0, np.int64), 5, 0)[0])


class TestCommand:
    """From `review --strategy random` to a model of one's own."""

    @pytest.fixture
    def model_path(self, trained, tmp_path):
        model_file.save(trained, tmp_path / "m.joblib")
        return tmp_path / "m.joblib"

    @pytest.fixture
    def queue(self, model_path, outsort, tmp_path):
        frame_of(150, 6, 0.03).drop(columns="label").to_csv(tmp_path / "mine.csv", index=False)
        done = outsort(
            "review", tmp_path / "mine.csv", "-m", model_path, "-o", tmp_path / "q.csv", "--strategy", "random"
        )
        assert done.code == 0
        queue = pd.read_csv(tmp_path / "q.csv", dtype=str, keep_default_na=False)
        known = frame_of(150, 6, 0.03).set_index("text")["label"]
        return queue.assign(label=queue["text"].map(known))

    @pytest.mark.slow
    def test_a_random_sample_makes_the_promise_ones_own(self, queue, model_path, outsort, tmp_path):
        assert queue[DRAWN].eq("1").all()
        queue.to_csv(tmp_path / "q.csv", index=False)
        done = outsort(
            "certify", tmp_path / "q.csv", "-m", model_path, "-o", tmp_path / "own.joblib", "--target-precision", 0.8,
            "--of", tmp_path / "mine.csv",
        )  # fmt: skip
        assert done.code == 0, done.err
        assert "200 texts, 200 rows drawn: at threshold" in done.out
        assert "mine.csv: " in done.out
        card = outsort("card", "-m", tmp_path / "own.joblib").out
        assert "random sample q.csv" in card.replace("\\", "")
        shown = outsort(
            "score", tmp_path / "mine.csv", "-m", tmp_path / "own.joblib", "-o", tmp_path / "s.csv", "--strict"
        )
        assert shown.code == 0, shown.err
        scored = pd.read_csv(tmp_path / "s.csv")
        share = (scored["decision"] == "accept").mean()
        assert f"mine.csv: {share:.0%} of the rows can go unread" in done.out
        # The same sample again proves nothing of a model that it made.
        again = outsort("certify", tmp_path / "q.csv", "-m", tmp_path / "own.joblib", "-o", tmp_path / "x.joblib")
        assert again.code == 1
        assert "was trained on 200 of its 200 texts" in again.err

    @pytest.mark.slow
    def test_what_cannot_certify_writes_nothing(self, queue, model_path, outsort, tmp_path):
        cases = {
            "does not say that it is a random sample": queue.drop(columns=DRAWN),
            "0 rows drawn at random promise nothing": queue.assign(drawn=""),
            "29 rows drawn at random promise nothing": queue.iloc[:29],
            "has only the label 'BPO'": queue.assign(label="BPO"),
            "no label but UNCLEAR": queue.assign(label="UNCLEAR"),
        }
        for said, frame in cases.items():
            frame.to_csv(tmp_path / "q.csv", index=False)
            done = outsort("certify", tmp_path / "q.csv", "-m", model_path, "-o", tmp_path / "own.joblib")
            assert (done.code, said in done.err) == (3, True), done.err
        queue.to_csv(tmp_path / "q.csv", index=False)
        done = outsort(
            "certify", tmp_path / "q.csv", "-m", model_path, "-o", tmp_path / "own.joblib", "--target-precision", 0.99
        )
        assert done.code == 3
        assert "no threshold reaches 99% precision" in done.out
        assert not (tmp_path / "own.joblib").exists()

    @pytest.mark.slow
    def test_rows_without_a_label_are_listed(self, queue, model_path, outsort, tmp_path):
        queue.assign(label=[*queue["label"][:-1], ""]).to_csv(tmp_path / "q.csv", index=False)
        done = outsort("certify", tmp_path / "q.csv", "-m", model_path, "-o", tmp_path / "own.joblib")
        assert done.code == 1
        assert "row 201: the label is empty" in done.err

    def test_a_sample_that_was_trained_on_is_refused(self, outsort, model_path, tmp_path):
        frame_of(200, 0, 0.02).head(60).to_csv(tmp_path / "q.csv", index=False)
        done = outsort(
            "certify", tmp_path / "q.csv", "-m", model_path, "-o", tmp_path / "own.joblib", "--random-sample"
        )
        assert done.code == 1
        assert "trained on 60 of its 60 texts" in done.err

    def test_a_file_unlike_the_sample_is_named_and_strict_stops(self, model_path, outsort, tmp_path):
        pd.DataFrame({"text": [f"zzq{i} xqv{i} kkj{i}" for i in range(60)]}).to_csv(tmp_path / "t.csv", index=False)
        done = outsort("score", tmp_path / "t.csv", "-m", model_path, "-o", tmp_path / "s.csv")
        assert done.code == 0
        assert "t.csv: unlike what the promise was measured on (random folds)" in done.err
        assert "100% to review" in done.err
        into = tmp_path / "out"
        done = outsort("score", tmp_path / "t.csv", "-m", model_path, "-o", f"{into}/", "--strict")
        assert done.code == 3
        assert len(pd.read_csv(into / "t.csv")) == 60


def test_a_number_of_draws_must_be_one(trained):
    frame = frame_of(40, 7, 0.0).assign(drawn="often")
    with pytest.raises(DataError, match="row 0: drawn 'often' is not a number"):
        certify_model(trained, sample_of(trained, frame))
    with pytest.raises(NoSampleError):
        certify_model(trained, sample_of(trained, frame.assign(drawn="0")))
