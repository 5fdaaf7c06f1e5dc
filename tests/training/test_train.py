from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

import outsort
from outsort import text
from outsort.data.dataset import read
from outsort.data.identity import hashes_of, key_of
from outsort.errors import DataError
from outsort.explanation import explain
from outsort.metrics import score
from outsort.model import POSITION
from outsort.training import fitting, folds, train, validation


def test_lines_roll_up_to_their_labels(model):
    roll_up = dict(zip(model.lines, model.line_labels, strict=True))
    assert roll_up == {
        "cleaning": "NEITHER",
        "data_entry": "BPO",
        "data_science": "KPO",
        "legal_services": "KPO",
        "translation": "BPO",
    }


def test_without_lines_the_labels_are_the_lines(two_class_model):
    assert two_class_model.lines == two_class_model.line_labels == ("BPO", "KPO")


def test_centring_changes_no_probability_and_pruning_drops_what_is_small():
    rng = np.random.default_rng(0)
    weights, x = rng.normal(size=(5, 7)), rng.normal(size=7)
    exact, shifted = np.exp(weights @ x), np.exp(fitting.centred(weights) @ x)
    np.testing.assert_allclose(shifted / shifted.sum(), exact / exact.sum())
    assert (np.median(fitting.centred(weights), axis=0) == 0).all()


def test_log_count_ratios_are_those_of_naive_bayes():
    # The oracle: naive Bayes holds the same smoothed shares of a label's terms.
    counts = scipy.sparse.csr_matrix(np.array([[1, 0, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0]]))
    labels = ["BPO", "BPO", "KPO", "KPO"]
    bayes = MultinomialNB(alpha=1).fit(counts, labels).feature_log_prob_
    np.testing.assert_allclose(fitting.log_count_ratios(counts, labels), np.abs(bayes[0] - bayes[1]))


def test_words_and_pairs_hold_their_share_of_naive_bayes_over_lines_and_over_labels(frame):
    # The oracle: naive Bayes trained apart on the same words and pairs.
    without, both = (
        train.train(frame, checks=folds.Checks(folds=0), settings=fitting.Settings(prune=0, bayes_share=share))
        for share in (0.0, 0.5)
    )
    assert both.terms == without.terms
    counts = CountVectorizer(analyzer=text.terms, vocabulary=both.terms, binary=True).fit_transform(frame["text"])
    is_piece = np.array([text.is_piece(term) for term in both.terms])
    bayes = MultinomialNB(alpha=fitting.BAYES_SMOOTHING)
    expected = np.zeros((len(both.terms), len(both.lines) + 3))
    expected[~is_piece] = 0.5 * np.hstack(
        [
            fitting.centred(bayes.fit(counts[:, ~is_piece], frame[column]).feature_log_prob_).T
            for column in ("service_line", "label")
        ]
    )
    added = dense_weights(both) - dense_weights(without)
    n_lines = len(both.lines)
    # Only differences between classes count.
    for columns in (slice(n_lines), slice(n_lines, None)):
        np.testing.assert_allclose(
            added[:, columns] - added[:, columns].mean(axis=1, keepdims=True),
            expected[:, columns] - expected[:, columns].mean(axis=1, keepdims=True),
            atol=1e-5,
        )


def test_texts_that_share_pieces_but_no_word_are_learnt_from():
    texts = ["invoicing", "invoices", "translating", "translations", "modelling", "models", "patenting", "patents"]
    model = train.train(pd.DataFrame({"text": texts, "label": ["BPO"] * 4 + ["KPO"] * 4}), checks=folds.Checks(folds=0))
    assert all(text.is_piece(term) for term in model.terms)
    assert model.predict(["invoiced", "patented"]).tolist() == ["BPO", "KPO"]


def dense_weights(model):
    """Return the weights of each term for the lines, then for the labels: (n_terms, n_lines + 3)."""
    shape = (len(model.terms), len(model.lines) + 3)
    return scipy.sparse.csr_matrix((model.weights, model.indices, model.indptr), shape).toarray()


def test_pieces_weigh_their_share_of_a_word(frame):
    whole, half = (
        train.train(frame, checks=folds.Checks(folds=0), settings=fitting.Settings(prune=0, piece_share=share))
        for share in (1.0, 0.5)
    )
    is_piece = np.array([term.startswith("~") for term in whole.terms])
    np.testing.assert_allclose(half.idf[is_piece], whole.idf[is_piece] / 2)
    np.testing.assert_array_equal(half.idf[~is_piece], whole.idf[~is_piece])


def test_terms_are_counted_as_they_are_defined(frame):
    texts = [*frame["text"], "ice ice, baby; ICE", "x", "", "Ünïcode 2x2 ~ ~tax"]
    terms, counts = fitting.count_terms(texts)
    expected = CountVectorizer(analyzer=text.terms, binary=True)
    np.testing.assert_array_equal(counts.toarray(), expected.fit_transform(texts).toarray())
    assert terms.tolist() == expected.get_feature_names_out().tolist()


@pytest.mark.parametrize("prune", [0.05, 0.5])
def test_weights_are_64ths_and_none_is_under_the_cut(frame, prune):
    model = train.train(frame, checks=folds.Checks(folds=0), settings=fitting.Settings(prune=prune))
    assert np.abs(model.weights).min() >= prune
    assert not (model.weights * 64 % 1).any()


def test_terms_of_too_few_texts_are_dropped(frame):
    model = train.train(frame, checks=folds.Checks(folds=0), settings=fitting.Settings(min_texts=3))
    assert "office" not in model.vocabulary
    assert "contract" in model.vocabulary


@pytest.mark.parametrize(("n_texts", "min_df"), [(9_999, 2), (10_000, 3)])
def test_from_ten_thousand_texts_on_a_term_must_stand_in_three(n_texts, min_df):
    # The oracle: scikit-learn's own limit on the number of documents.
    texts = [f"w{i % 4_000}" for i in range(n_texts)]
    counted = fitting.count(texts, ["BPO", "KPO"] * (n_texts // 2) + ["BPO"] * (n_texts % 2), None)
    expected = CountVectorizer(analyzer=text.terms, min_df=min_df).fit(texts).get_feature_names_out()
    assert counted.terms[fitting.is_known(counted, fitting.Settings())].tolist() == expected.tolist()


def test_texts_already_counted_read_as_the_texts_do(frame):
    # The oracle: the model itself, reading the texts.
    texts = ["Translate a vision. Key scanned invoices\nwash", "mop, mop and MOP again", "zzz", "draft\na\ncontract"]
    frame = pd.concat([frame, pd.DataFrame({"text": texts, "label": "KPO", "service_line": "legal_services"})])
    counted = fitting.count(frame["text"].tolist(), frame["label"].tolist(), frame["service_line"].tolist())
    model = fitting.fit(counted, fitting.Settings())
    found = fitting.read_counted(model, counted, fitting.is_known(counted, fitting.Settings()))
    readings = [model.read(text) for text in frame["text"]]
    np.testing.assert_allclose(found[:, :-1], [model.label_scores(reading) for reading in readings], atol=1e-5)
    np.testing.assert_allclose(found[:, -1], [1 - reading.shares[0] for reading in readings], atol=1e-6)
    part = np.array([17, 3, 15])
    of_part = fitting.read_counted(model, counted.part(part), fitting.is_known(counted, fitting.Settings()))
    np.testing.assert_allclose(of_part, found[part])


@pytest.mark.parametrize("by", ["words", "place"])
def test_marked_clauses_teach_how_much_clauses_count(frame, by):
    # Boilerplate is told by its words, in any place, or by its place, whatever its words.
    rng = np.random.default_rng(0)
    work, boilerplate = frame["text"].tolist(), ["apply now", "our firm is great", "apply to our firm"]
    texts, marks = [], {}
    for i in range(60):
        parts = rng.permutation([*rng.choice(work, 2, replace=False), *rng.choice(boilerplate, 2, replace=False)])
        texts.append("\n".join([*parts, f"number {i}"]))
        marks[key_of(texts[-1])] = [
            (str(part), part in work if by == "words" else place < 2) for place, part in enumerate(parts)
        ]
    labels = ["BPO", "KPO"] * 30
    model = fitting.fit(fitting.count(texts, labels, None, marks=marks), fitting.Settings())
    if by == "words":
        shares = model.read("apply to our firm\nkey invoices into sap").shares
        assert shares[1] > 4 * shares[0]
    else:
        assert model.position[1] > 1
        assert (np.diff(model.read("key invoices\n" * 5).shares) < 0).all()
    few = dict(list(marks.items())[:10])
    unmarked = fitting.fit(fitting.count(texts, labels, None, marks=few), fitting.Settings())
    np.testing.assert_array_equal(unmarked.position, POSITION)
    assert (unmarked.indices != len(unmarked.lines) + len(unmarked.labels)).all()


@pytest.mark.slow
def test_two_hundred_labels_train_answer_and_score(tmp_path):
    # The oracle: each label has a word of its own, so every text is right.
    rng = np.random.default_rng(0)
    common = [f"common{i}" for i in range(50)]
    labels = [f"{i}" for i in range(199)] + ["none"]
    rows = [(" ".join([f"word{label}", *rng.choice(common, 4)]), label) for label in labels * 5]
    frame = pd.DataFrame(rows, columns=["text", "label"])
    model = train.train(frame, checks=folds.Checks(folds=2))
    assert len(model.labels) == 200
    assert model.labels[-1] == model.out_of_scope == "none"
    asked = pd.DataFrame({"text": [f"word{label}" for label in labels]})
    scored = outsort.score(asked, model)
    assert (scored["label"] == labels).mean() > 0.98
    proba = scored[[f"p_{label}" for label in model.labels]].to_numpy()
    np.testing.assert_allclose(proba, model.predict_proba(asked["text"]), atol=2e-5)
    assert explain(model, "word7", "7").contributions["word7"] > 0
    outsort.save_model(model, tmp_path / "m.joblib")
    assert outsort.load_model(tmp_path / "m.joblib").fingerprint == model.fingerprint
    # No more than a weight of 6 bytes for each term and label, and the terms.
    assert (tmp_path / "m.joblib").stat().st_size < len(model.terms) * (6 * 400 + 100)


def test_every_row_is_held_out_once_in_each_scheme(frame):
    data = read(frame)
    for splits in folds.folds(data, folds.Checks(folds=3), 0).values():
        held_out = np.concatenate([rows for _, rows in splits])
        assert sorted(held_out) == list(range(len(data.texts)))
        assert all(not set(rows) & set(out) for rows, out in splits)


def test_a_service_line_is_held_out_whole(frame):
    data = read(frame)
    lines = np.array(data.lines)
    splits = folds.folds(data, folds.Checks(folds=3), 0)[folds.LINES_OUT]
    of_several = {line for line in lines if line != "cleaning"}
    assert all(not set(lines[rows]) & set(lines[out]) & of_several for rows, out in splits)
    # Without its only line nothing would teach NEITHER, so its rows are held out one by one.
    assert all("cleaning" in lines[rows] for rows, _ in splits)


@pytest.mark.slow
def test_shares_weigh_labels_as_repeated_rows_do():
    # The oracle: NEITHER is a tenth of the rows; repeated until it is a third of them, it counts as a third.
    rng = np.random.default_rng(0)
    rows = [
        (f"{label} w{rng.integers(40)} {rng.choice(['x', 'y', 'z'])}", label)
        for label in ("BPO", "KPO") * 180 + ("NEITHER",) * 40
    ]
    noise = rng.random(400) < 0.2
    rows = [
        (text, "KPO" if wrong and label == "BPO" else label) for (text, label), wrong in zip(rows, noise, strict=True)
    ]
    data = read(pd.DataFrame(rows, columns=["text", "label"]).drop_duplicates("text"))
    checks = folds.Checks(folds=3, shares={"NEITHER": 1 / 3})
    prepared = train.prepare(data, fitting.Settings(), checks)
    labels = np.array(data.labels)
    total = prepared.weights.sum()
    assert prepared.weights[labels == "NEITHER"].sum() / total == pytest.approx(1 / 3)
    of_rest = [prepared.weights[labels == label].sum() / (labels == label).sum() for label in ("BPO", "KPO")]
    assert of_rest == pytest.approx([1, 1])
    known, usual = (
        train.train(data, checks=folds.Checks(folds=3, shares=shares)) for shares in ({"NEITHER": 1 / 3}, {})
    )
    assert known.calibration[2, 0] > usual.calibration[2, 0] + 0.3
    assert known.prior[2] == pytest.approx(1 / 3, abs=0.01)
    assert usual.prior[2] == pytest.approx((labels == "NEITHER").mean(), abs=0.01)
    for wrong in ({"BPO": 0.0}, {"BPO": 0.6, "KPO": 0.4}, dict.fromkeys(("BPO", "KPO", "NEITHER"), 0.3)):
        with pytest.raises(ValueError, match="choose shares above 0, together under 1"):
            train.prepare(data, fitting.Settings(), folds.Checks(folds=3, shares=wrong))


def test_a_line_and_a_group_are_held_out_together():
    rng = np.random.default_rng(0)
    lines = [f"line {i}" for i in range(12)]
    rows = [(f"text {i}", line, f"genre {rng.integers(5)}") for i, line in enumerate(rng.choice(lines, 400))]
    frame = pd.DataFrame(rows, columns=["text", "service_line", "genre"])
    frame["label"] = frame["service_line"].str[5:].astype(int).mod(2).map({0: "BPO", 1: "KPO"})
    data = read(frame)
    schemes = folds.folds(data, folds.Checks(folds=3, group_column="genre"), 0)
    splits = schemes[folds.BOTH_OUT.format("genre")]
    held_out = np.concatenate([out for _, out in splits])
    assert len(held_out) == len(set(held_out)) > 400 / 6
    # All genres and all labels are held out somewhere.
    for column in ("genre", "label"):
        assert set(frame[column].iloc[held_out]) == set(frame[column])
    for training, out in splits:
        for column in ("service_line", "genre"):
            assert not set(frame[column].iloc[training]) & set(frame[column].iloc[out])


def test_data_without_lines_have_random_folds_only(frame):
    assert list(folds.folds(read(frame.drop(columns="service_line")), folds.Checks(folds=3), 0)) == [folds.STRATIFIED]


def test_two_rows_of_neither_stop_nothing(frame):
    model = train.train(frame.iloc[:14], checks=folds.Checks(folds=3))
    assert set(model.about["scores"]) == {folds.STRATIFIED, folds.LINES_OUT}
    assert model.out_of_scope == "NEITHER"


def test_the_role_of_a_label_can_be_given_and_taken(frame):
    for wanted, labels in (("bpo", ("KPO", "NEITHER", "BPO")), ("", ("BPO", "KPO", "NEITHER"))):
        model = train.train(frame, out_of_scope=wanted, checks=folds.Checks(folds=2))
        assert (model.labels, model.out_of_scope) == (labels, wanted.upper())


def test_labels_that_mean_nothing_score_like_a_coin():
    # Held-out rows must not leak into training: random labels would then look learnable.
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(40)]
    rows = [(" ".join(rng.choice(words, 8)), rng.choice(["BPO", "KPO"])) for _ in range(300)]
    model = train.train(pd.DataFrame(rows, columns=["text", "label"]), checks=folds.Checks(folds=5))
    assert 0.4 < model.about["scores"][folds.STRATIFIED]["auc"] < 0.6


def test_the_model_tells_where_it_came_from(csv_file):
    about = train.train(csv_file, checks=folds.Checks(folds=3), settings=fitting.Settings(seed=5)).about
    assert about["data"]["source"] == "tasks.csv"
    assert about["data"]["rows_by_label"] == {"BPO": 6, "KPO": 6, "NEITHER": 3}
    assert about["settings"]["seed"] == 5
    assert set(about["scores"]) == {folds.STRATIFIED, folds.LINES_OUT}
    assert about["scores"][folds.STRATIFIED]["n"] == 15


@pytest.mark.slow
def test_folds_in_other_processes_are_those_of_this_one(rows_frame):
    checks = folds.Checks(folds=3)
    here = train.train(rows_frame, checks=checks)
    with joblib.parallel_config("loky", n_jobs=2):
        there = train.train(rows_frame, checks=checks)
    assert there.fingerprint == here.fingerprint
    assert there.about["scores"] == here.about["scores"]


def test_texts_without_a_letter_or_a_shared_word_teach_nothing():
    frame = pd.DataFrame({"text": ["!", "?", "-", "+"], "label": ["BPO", "BPO", "KPO", "KPO"]})
    with pytest.raises(DataError, match="have no letters or digits"):
        train.train(frame)
    frame["text"] = list("abcd")
    with pytest.raises(DataError, match="No word or piece of a word is in 2 texts"):
        train.train(frame)


@pytest.mark.parametrize("n", [1, -2])
def test_impossible_numbers_of_folds_are_refused(frame, n):
    with pytest.raises(ValueError, match="choose 2 or more, or 0"):
        train.train(frame, checks=folds.Checks(folds=n))


def with_columns(frame, **columns):
    return read(frame.assign(**columns))


def test_groups_are_held_out_whole(frame):
    suppliers = ["north", "south", "east"] * 5
    data = with_columns(frame, supplier=suppliers)
    splits = folds.folds(data, folds.Checks(folds=3, group_column="supplier"), 0)["unseen supplier"]
    left_out = sorted(sorted(set(np.array(suppliers)[out])) for _, out in splits)
    assert left_out == [["east"], ["north"], ["south"]]


def test_later_rows_are_answered_by_models_of_the_rows_before(frame):
    days = [f"2026-01-{1 + 7 * i % 15:02}" for i in range(15)]
    splits = folds.folds(with_columns(frame, day=days), folds.Checks(folds=3, time_column="day"), 0)["later day"]
    of_row = np.array(days, dtype="datetime64[D]")
    assert len(splits) == 3
    assert all(of_row[rows].max() < of_row[out].min() for rows, out in splits)


@pytest.mark.parametrize(
    ("columns", "checks", "message"),
    [
        ({"g": ["x"] * 15}, {"group_column": "g"}, "column 'g' has only one value"),
        ({"g": ["x"] * 6 + ["y"] * 9}, {"group_column": "g"}, "no row of some label is left"),
        ({"t": ["2026-01-01"] * 15}, {"time_column": "t"}, "column 't' has only one time"),
        ({"t": ["2026-01-01"] * 6 + ["2026-02-01"] * 9}, {"time_column": "t"}, "no rows of every label"),
        ({}, {"group_column": "g"}, "no column 'g'; it has 'text', 'label', 'service_line'"),
    ],
)
def test_columns_that_allow_no_scheme_are_refused(frame, columns, checks, message):
    with pytest.raises(DataError, match=message):
        folds.folds(with_columns(frame, **columns), folds.Checks(folds=3, **checks), 0)


@pytest.fixture(scope="module")
def noisy():
    """Eight hundred texts of two labels, of which a word tells four in five."""
    rng = np.random.default_rng(3)
    words = [f"w{i}" for i in range(60)]
    rows = []
    for _ in range(800):
        is_kpo = rng.random() < 0.5
        tells = is_kpo if rng.random() < 0.8 else not is_kpo
        text = " ".join([*rng.choice(words, 6), "analyse" if tells else "type"])
        rows.append((text, "KPO" if is_kpo else "BPO", rng.integers(1, 4)))
    return read(pd.DataFrame(rows, columns=["text", "label", "spend"]))


@pytest.mark.slow
def test_calibration_lowers_log_loss_and_the_model_keeps_it(noisy):
    model, validation = train.train_validated(noisy)
    scores = validation.scores[folds.STRATIFIED]
    assert scores.log_loss < scores.uncalibrated.log_loss
    np.testing.assert_array_equal(model.calibration, validation.calibration)
    assert model.calibration[0, 1] != 1
    np.testing.assert_array_equal(model.later, validation.later)


@pytest.mark.slow
def test_the_threshold_is_the_one_that_held_out_rows_certify(noisy):
    # Words drawn at random mislead naive Bayes, which takes each for what it says by itself.
    settings, checks = fitting.Settings(bayes_share=0), folds.Checks(target_precision=0.7)
    model, validation = train.train_validated(noisy, settings, checks)
    held_out = validation.held_out[validation.scheme]
    accepted = held_out.proba.max(axis=1)
    right = model.classes_[held_out.proba.argmax(axis=1)] == np.array(noisy.labels)
    assert validation.certificate.precision == right[accepted >= model.threshold].mean() > 0.7
    assert model.about["decision"]["threshold"] == model.threshold


def test_what_the_rows_cannot_certify_sets_no_threshold(noisy):
    model, _ = train.train_validated(noisy, checks=folds.Checks(target_precision=0.99))
    assert np.isnan(model.threshold)
    assert model.about["decision"]["threshold"] is None


@pytest.mark.slow
def test_weights_count_as_rows_would(noisy):
    # The oracle: the same rows, each repeated as often as it weighs.
    _, weighted = train.train_validated(noisy, checks=folds.Checks(weight_column="spend"))
    held_out = weighted.held_out[folds.STRATIFIED]
    times = noisy.frame["spend"].to_numpy().astype(int)
    expected = score(np.repeat(noisy.labels, times), np.repeat(held_out.proba, times, axis=0), ("BPO", "KPO"), "")
    for name in ("accuracy", "macro_f1", "auc", "log_loss", "brier"):
        found = getattr(weighted.scores[folds.STRATIFIED], name)
        assert found == pytest.approx(getattr(expected, name))


#: How much of a model's log-odds is true, by the scheme that asked: the harder, the more it exaggerates.
BOTH_OUT = folds.BOTH_OUT.format("supplier")
TRUE_SHARE = {folds.STRATIFIED: 1.0, "unseen supplier": 0.6, folds.LINES_OUT: 0.3, BOTH_OUT: 0.3}


def exaggerated(share, n, seed):
    """Return log-odds of KPO of which a share is true, and labels drawn accordingly: (n,) each."""
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(0, 5, n)
    return log_odds, np.where(rng.random(n) < 1 / (1 + np.exp(-share * log_odds)), "KPO", "BPO")


def raw_of(log_odds):
    """Return the held-out scores of BPO and KPO, in texts of one clause, that have these log-odds."""
    return np.column_stack([np.zeros(len(log_odds)), log_odds, np.zeros(len(log_odds))])


@pytest.fixture(scope="module")
def exaggerating():
    """Data, splits and made-up held-out answers for each scheme, as `validate` takes them."""
    n = 6_000
    labels = exaggerated(TRUE_SHARE[folds.LINES_OUT], n, 0)[1]
    rng = np.random.default_rng(1)
    raw = {}
    for scheme, share in TRUE_SHARE.items():
        # Answers to rows of given labels: those of as many others with the same labels.
        log_odds, drawn = exaggerated(share, 3 * n, rng.integers(1 << 30))
        answers = np.empty(n)
        for label in ("BPO", "KPO"):
            answers[labels == label] = log_odds[drawn == label][: (labels == label).sum()]
        raw[scheme] = raw_of(answers)
    held_out = np.array_split(rng.permutation(n), 5)
    splits = [(np.setdiff1d(np.arange(n), out), out) for out in held_out]
    data = read(pd.DataFrame({"text": [f"t{i}" for i in range(n)], "label": labels}))
    return data, splits, raw


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schemes", "hardest"),
    [
        (list(TRUE_SHARE), BOTH_OUT),
        (list(TRUE_SHARE)[:3], folds.LINES_OUT),
        ([folds.STRATIFIED, folds.LINES_OUT], folds.LINES_OUT),
        ([folds.STRATIFIED, "unseen supplier"], "unseen supplier"),
        ([folds.STRATIFIED], folds.STRATIFIED),
    ],
)
def test_calibration_and_threshold_hold_on_work_as_hard_as_the_hardest_scheme(exaggerating, schemes, hardest):
    # The oracle: the share of the log-odds that is true, and fresh rows of the hardest kind, on which
    # accepted answers must be right as often as promised.
    data, splits, raw = exaggerating
    checks = folds.Checks(target_precision=0.9, group_column="supplier")
    found = validation.validate(
        data,
        dict.fromkeys(schemes, splits),
        {scheme: raw[scheme] for scheme in schemes},
        checks,
        np.ones(6_000),
        fitting.Settings(),
    )
    assert found.scheme == hardest
    np.testing.assert_allclose(found.calibration[:, 1], TRUE_SHARE[hardest], atol=0.1)
    np.testing.assert_allclose(found.calibration[:, 0], 0, atol=0.1)
    log_odds, labels = exaggerated(TRUE_SHARE[hardest], 100_000, 2)
    calibrated = found.calibration[1, 0] - found.calibration[0, 0] + found.calibration[1, 1] * log_odds
    accepted = 1 / (1 + np.exp(-np.abs(calibrated))) >= found.certificate.threshold
    precision = ((calibrated > 0) == (labels == "KPO"))[accepted].mean()
    assert 0.89 < precision < 0.93
    assert accepted.mean() == pytest.approx(found.certificate.coverage, abs=0.03)


def test_no_fold_is_calibrated_by_its_own_rows():
    # The oracle: of one fold's log-odds half is true, of the other's all, so each must get the other's line.
    (first, labels_of_first), (second, labels_of_second) = (
        exaggerated(share, 3_000, seed) for seed, share in enumerate((0.5, 1.0))
    )
    log_odds = np.concatenate([first, second])
    data = read(
        pd.DataFrame(
            {"text": [f"t{i}" for i in range(6_000)], "label": np.concatenate([labels_of_first, labels_of_second])}
        )
    )
    halves = np.split(np.arange(6_000), 2)
    found = validation.validate(
        data,
        {folds.STRATIFIED: [(halves[1], halves[0]), (halves[0], halves[1])]},
        {folds.STRATIFIED: raw_of(log_odds)},
        folds.Checks(),
        np.ones(6_000),
        fitting.Settings(),
    )
    log_proba = np.log(found.held_out[folds.STRATIFIED].proba)
    calibrated = log_proba[:, 1] - log_proba[:, 0]
    slopes = [np.polyfit(log_odds[half], calibrated[half], 1)[0] for half in halves]
    np.testing.assert_allclose(slopes, [1.0, 0.5], atol=0.1)


@pytest.mark.slow
def test_the_promise_is_kept_when_the_ranking_comes_from_calibration():
    # Twenty labels; an answer is right in 84 of 100 rows whatever its score, so any threshold breaks the promise
    # of 85. Calibration finds labels that were lucky: judged by rows that it was fitted to, they would pass.
    rng = np.random.default_rng(0)
    n, n_labels, n_draws = 1_200, 20, 40
    names = np.array([f"label {i:02}" for i in range(n_labels)])
    texts = [f"t{i}" for i in range(n)]
    certified = 0
    for _ in range(n_draws):
        answers = np.repeat(np.arange(n_labels), n // n_labels)
        is_right = rng.random(n) < 0.84
        labels = np.where(is_right, answers, (answers + rng.integers(1, n_labels, n)) % n_labels)
        raw = np.column_stack([3 * np.eye(n_labels)[answers], np.zeros(n)])
        frame = pd.DataFrame({"text": texts, "label": names[labels]})
        out = np.array_split(rng.permutation(n), 5)
        splits = [(np.setdiff1d(np.arange(n), part), part) for part in out]
        found = validation.validate(
            read(frame),
            {folds.STRATIFIED: splits},
            {folds.STRATIFIED: raw},
            folds.Checks(target_precision=0.85),
            np.ones(n),
            fitting.Settings(),
        )
        certified += found.certificate.coverage > 0
    assert certified <= 0.1 * n_draws


@pytest.mark.parametrize("n_folds", [0, 2])
def test_what_is_known_of_later_clauses_takes_the_place_of_what_is_learnt(n_folds):
    rows = [
        (f"{verb} {number} {noun}", label)
        for label, (verb, noun) in {"BPO": ("key", "invoices"), "KPO": ("draft", "contracts")}.items()
        for number in range(40)
    ]
    data = read(pd.DataFrame(rows, columns=["text", "label"]))
    known = train.train(data, settings=fitting.Settings(later={"KPO": 0.8}), checks=folds.Checks(folds=n_folds))
    text = "key invoices. Draft contracts"
    log_odds = np.diff(known.predict_log_proba([text]))[0, 0]
    without = np.diff(replace(known, later=np.zeros(2)).predict_log_proba([text]))[0, 0]
    # By the share of the second clause.
    assert without - log_odds == pytest.approx(0.8 * known.read(text).shares[1])


def test_only_clauses_that_say_the_work_are_lessons():
    texts = ["We are a team. Key invoices", "We are kind. Draft contracts", "audit books"]
    marks = {key_of(texts[0]): [("We are a team.", False), ("Key invoices", True)]}
    counted = fitting.count(texts, ["BPO", "KPO", "KPO"], None, marks=marks)
    counts, lines = counted.lessons()
    words = [{counted.terms[i] for i in row.indices if counted.terms[i].isalpha()} for row in counts]
    assert (words, lines) == (
        [{"we", "are", "kind", "draft", "contracts"}, {"audit", "books"}, {"key", "invoices"}],
        ["KPO", "KPO", "BPO"],
    )


def test_texts_that_say_too_little_teach_to_be_unsure(frame):
    # The word stands in BPO rows alone.
    word = "invoices"
    assert set(frame.label[frame.text.str.contains(word)]) == {"BPO"}
    rest = ("lot 3", "as agreed", "see annex", "item 3", "dated 3", "in lot 4", "lot 3 as agreed", "see lot 3")
    unclear = pd.DataFrame({"text": [f"{word} {of}" for of in rest]})
    both = pd.concat([frame, unclear.assign(label="UNCLEAR")])
    sure, taught = (
        train.train(rows, checks=train.Checks(folds=0)).predict_proba([f"{word} as in lot 3"]).max()
        for rows in (frame, both)
    )
    assert taught < sure - 0.1
    # They leave what the others say of a text as it is, and prove nothing either.
    model = train.train(both, checks=train.Checks(folds=0))
    assert model.predict(list(frame.text)).tolist() == list(frame.label)
    assert np.isin(hashes_of(unclear.text), model.seen).all()


@pytest.mark.slow
def test_the_promise_says_how_often_labels_come_by_their_weights(noisy):
    checks = folds.Checks(folds=3, target_precision=0.6, shares={"KPO": 0.8})
    decision = train.train(noisy, checks=checks).about["decision"]
    plain = train.train(noisy, checks=replace(checks, shares={})).about["decision"]
    assert plain["measured"]["labels"]["KPO"] == pytest.approx(0.5, abs=0.15)
    assert decision["measured"]["labels"]["KPO"] > plain["measured"]["labels"]["KPO"] + 0.15
