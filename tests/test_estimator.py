import pickle
import zlib

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import validate_data

import outsort
from outsort import OutsortClassifier
from outsort.errors import DataError, ModelError


class OnNumbers(OutsortClassifier):
    """The classifier with rows of numbers put into words: scikit-learn's checks have no texts."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.string = tags.input_tags.one_d_array = False
        return tags

    def _texts(self, X, *, reset):  # noqa: N803
        return [_in_words(row) for row in validate_data(self, X, reset=reset)]


def _in_words(row):
    """Return a text of a row: its numbers in steps of a half, and a number that no other row has."""
    steps = [f"column{i}is{np.floor(2 * x):.0f}".replace("-", "minus") for i, x in enumerate(row)]
    return " ".join([*steps, str(zlib.crc32(row.astype(np.float64).tobytes()))])


@parametrize_with_checks([OnNumbers()])
def test_scikit_learns_checks_pass_on_numbers_in_words(estimator, check):
    check(estimator)


def test_scikit_learn_is_told_that_it_takes_texts():
    with pytest.warns(SkipTestWarning, match="requires input  of type"):
        checks = list(estimator_checks_generator(OutsortClassifier()))
    for estimator, check in checks:
        check(estimator)
    assert len(checks) == 1


def test_it_is_the_model_that_train_makes(frame):
    twice = pd.concat([frame, frame[:4]], ignore_index=True)
    checks, settings = outsort.Checks(folds=0), outsort.Settings(C=2, bayes_share=0.5, seed=3)
    for lines in (twice.service_line, None):
        rows = twice if lines is not None else twice[["text", "label"]]
        expected = outsort.train(rows, checks=checks, settings=settings)
        fitted = OutsortClassifier(C=2, bayes_share=0.5, random_state=3).fit(twice.text, twice.label, lines)
        assert fitted.to_model().fingerprint == expected.fingerprint
        np.testing.assert_array_equal(fitted.to_model().seen, expected.seen)


@pytest.mark.slow
def test_with_folds_it_is_calibrated_and_certified_as_by_train(tickets, ticket_model):
    fitted = OutsortClassifier(folds=5, target_precision=0.9).fit(tickets[["text"]], tickets.label)
    assert fitted.to_model().fingerprint == ticket_model.fingerprint
    assert fitted.to_model().threshold > 0


@pytest.mark.parametrize(
    "classes",
    [("BPO", "KPO", "NEITHER"), (2, 10, 1), (2.0, 10.0, 1.0), (True, False, None), ("a", "A", "neither")],
    ids=["str", "int", "float", "bool", "case"],
)
def test_labels_are_kept_as_given_through_a_file(frame, classes, tmp_path):
    meaning = dict(zip(("BPO", "KPO", "NEITHER"), classes, strict=True))
    frame = frame[frame.label.map(meaning).notna()]
    y = np.array([meaning[label] for label in frame.label])
    fitted = OutsortClassifier(out_of_scope=y[-1] if classes[0] == 2 else None).fit(frame.text, y)
    np.testing.assert_array_equal(fitted.classes_, np.unique(y))
    assert fitted.classes_.dtype == y.dtype
    answers = [str(label) for label in fitted.predict(frame.text)]
    np.testing.assert_array_equal(answers, fitted.to_model().predict(frame.text))

    proba = fitted.predict_proba(frame.text)
    of_model = pd.DataFrame(fitted.to_model().predict_proba(frame.text), columns=fitted.to_model().labels)
    np.testing.assert_allclose(proba, of_model[[str(label) for label in np.unique(y)]], atol=1e-5)
    np.testing.assert_allclose(proba.sum(axis=1), 1)

    outsort.save_model(fitted.to_model(), tmp_path / "mine.joblib")
    again = OutsortClassifier.from_model(outsort.load_model(tmp_path / "mine.joblib"))
    assert again.classes_.dtype.kind == y.dtype.kind
    np.testing.assert_array_equal(again.classes_, fitted.classes_)
    np.testing.assert_array_equal(again.predict_proba(frame.text), proba)


def test_a_model_becomes_a_classifier_with_its_settings(rows_frame):
    settings = outsort.Settings(C=2, min_texts=1, later={"BPO": 0.5}, seed=7)
    model = outsort.train(rows_frame, settings=settings, checks=outsort.Checks(folds=0))
    found = OutsortClassifier.from_model(model)
    assert found.to_model() is model
    assert found.predict(["key invoices", "mop floors"]).tolist() == ["BPO", "NEITHER"]
    again = clone(found).fit(rows_frame.text, rows_frame.label, rows_frame.service_line)
    assert again.to_model().fingerprint == model.fingerprint


def test_the_default_model_becomes_a_classifier():
    found = OutsortClassifier.from_model(outsort.load_model())
    assert found.predict(["Valuation of a dental practice"]).tolist() == ["KPO"]
    assert found.later == {"KPO": 0.8}


def test_a_model_whose_classes_are_not_its_labels_is_refused(rows_frame):
    model = OutsortClassifier().fit(rows_frame.text, rows_frame.label == "BPO").to_model()
    model.about["classes"] = [0, 1]
    with pytest.raises(ModelError, match="the classes that it says it has are not its labels"):
        OutsortClassifier.from_model(model)


def test_texts_come_in_any_column(frame):
    frame.index += 100
    texts = list(frame.text)
    expected = OutsortClassifier().fit(texts, frame.label).predict_proba(texts)
    for column in (tuple(texts), np.array(texts), frame.text, frame[["text"]], np.array(texts)[:, None]):
        fitted = OutsortClassifier().fit(column, list(frame.label))
        np.testing.assert_array_equal(fitted.predict_proba(column), expected)
        np.testing.assert_array_equal(fitted.predict_proba(texts), expected)
        assert hasattr(fitted, "n_features_in_") == (len(np.shape(column)) == 2)
    fitted.fit(frame[["text"]], frame.label)
    assert fitted.feature_names_in_.tolist() == ["text"]
    with pytest.raises(ValueError, match="Feature names unseen at fit time"):
        fitted.predict(frame[["text"]].rename(columns={"text": "other"}))
    fitted.fit(texts, frame.label)
    assert not hasattr(fitted, "feature_names_in_")
    fitted.predict(frame[["text"]])
    assert fitted.predict_proba([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": "key invoices"}, TypeError, "one string: put it in a list"),
        ({"X": np.array([["a", "b"]] * 15)}, DataError, "X has 2 columns: pass the one with the texts"),
        ({"X": ["a"] * 14 + [None]}, TypeError, "text 14 is None, a NoneType, not a string"),
        ({"X": ["a"] * 14}, ValueError, "inconsistent numbers of samples: \\[14, 15\\]"),
        ({"y": ["BPO"] * 15}, DataError, "y has 1 class, 'BPO'. Training needs 2 or more"),
        ({"y": ["KPO"] + ["BPO"] * 14}, DataError, "X: 1 row labelled KPO. Training needs at least 2"),
        ({"y": np.linspace(0, 1, 15)}, ValueError, "continuous"),
        ({"y": ["KPO", None] + ["BPO"] * 13}, DataError, "y\\[1\\] is missing. Label each text"),
        ({"y": pd.array(["KPO", pd.NA] + ["BPO"] * 13, "string")}, DataError, "y\\[1\\] is missing"),
        ({"y": None}, ValueError, "requires y to be passed"),
        (
            {"service_lines": ["all"] * 15},
            DataError,
            "row 106: service line 'all' has label 'KPO', but 'BPO' in row 100",
        ),
    ],
)
def test_bad_rows_are_named(frame, change, error, message):
    frame.index += 100
    with pytest.raises(error, match=message):
        OutsortClassifier().fit(**({"X": frame.text, "y": frame.label} | change))


def test_a_text_under_two_labels_is_named_by_its_row(frame):
    frame.loc[3, "text"] = "DRAFT a  contract"
    with pytest.raises(DataError, match="X, row 6: text 'draft a contract' has label 'KPO', but 'BPO' in row 3"):
        OutsortClassifier().fit(frame.text, frame.label)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"C": 0}, "C is 0: choose a number above 0"),
        ({"passes": 0}, "passes is 0: choose 1 or more"),
        ({"min_texts": 0}, "min_texts is 0: choose 1 or more"),
        ({"folds": 1}, "folds is 1: choose 2 or more, or 0"),
        ({"out_of_scope": "other"}, "no row is labelled 'other'"),
    ],
)
def test_bad_settings_are_named(frame, settings, message):
    with pytest.raises(ValueError, match=message):
        OutsortClassifier(**settings).fit(frame.text, frame.label)


def test_texts_that_say_too_little_are_no_class(frame):
    frame = pd.concat([frame, pd.DataFrame({"text": ["as agreed", "see annex"], "label": "UNCLEAR"})])
    fitted = OutsortClassifier().fit(frame.text, frame.label)
    assert fitted.classes_.tolist() == ["BPO", "KPO", "NEITHER"]
    assert (
        fitted.to_model().fingerprint
        == outsort.train(frame[["text", "label"]], checks=outsort.Checks(folds=0)).fingerprint
    )


def test_what_is_not_fitted_says_so():
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(OutsortClassifier(), method)(["a"])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        OutsortClassifier().to_model()


def test_a_generator_of_seeds_is_drawn_from(frame):
    first, same = (
        OutsortClassifier(random_state=np.random.RandomState(5)).fit(frame.text, frame.label) for _ in range(2)
    )
    assert first.to_model().fingerprint == same.to_model().fingerprint
    assert first.to_model().about["settings"]["seed"] > 0
    copied = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(copied.predict_proba(frame.text), first.predict_proba(frame.text))


@pytest.fixture
def two_teams(tickets):
    """A hundred tickets of two labels."""
    return tickets[tickets.label.isin(["delivery", "refund"])].iloc[:100].reset_index(drop=True)


@pytest.mark.slow
def test_cross_validation_and_a_grid_search_are_train_fold_by_fold(two_teams):
    two_teams = two_teams[:50]
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    shares = [0.0, 0.75]
    # The oracle: train on each fold's rows.
    expected = {share: [] for share in shares}
    for share in shares:
        for rows, held_out in folds.split(two_teams, two_teams.label):
            model = outsort.train(
                two_teams.iloc[rows], settings=outsort.Settings(bayes_share=share), checks=outsort.Checks(folds=0)
            )
            answers = model.predict(two_teams.text[held_out])
            expected[share].append(accuracy_score(two_teams.label[held_out], answers))
    found = cross_val_score(OutsortClassifier(), two_teams.text, two_teams.label, cv=folds)
    np.testing.assert_allclose(found, expected[0.75])
    search = GridSearchCV(OutsortClassifier(), {"bayes_share": shares}, cv=folds).fit(two_teams.text, two_teams.label)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], [np.mean(expected[share]) for share in shares])
    assert search.predict(two_teams.text[:2]).tolist() == two_teams.label[:2].tolist()


def test_service_lines_reach_the_folds_of_a_search_in_a_pipeline(frame):
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]), OutsortClassifier())
    search = GridSearchCV(pipeline, {"outsortclassifier__C": [1, 5]}, cv=StratifiedKFold(3, shuffle=True))
    search.fit(frame.text, frame.label, outsortclassifier__service_lines=frame.service_line)
    model = search.best_estimator_[-1].to_model()
    assert set(model.lines) == set(frame.service_line)
    assert search.predict(["type invoices"]).tolist() == ["BPO"]


@pytest.mark.slow
def test_calibrated_it_is_less_sure_and_less_wrong(two_teams, new_tickets):
    test = new_tickets[new_tickets.label.isin(["delivery", "refund"])]
    plain = OutsortClassifier().fit(two_teams.text, two_teams.label)
    calibrated = CalibratedClassifierCV(OutsortClassifier(), cv=3).fit(two_teams.text, two_teams.label)
    assert calibrated.classes_.tolist() == ["delivery", "refund"]
    losses = [log_loss(test.label, found.predict_proba(test.text)) for found in (plain, calibrated)]
    assert losses[1] < losses[0]


def test_the_displays_draw_it(two_teams):
    matplotlib = pytest.importorskip("matplotlib", reason="pip install 'outsort[report]'")
    matplotlib.use("Agg")
    is_refund = two_teams.label == "refund"
    fitted = OutsortClassifier().fit(two_teams.text[::2], is_refund[::2])
    rows = two_teams.text[1::2], is_refund[1::2]
    drawn = ConfusionMatrixDisplay.from_estimator(fitted, *rows)
    np.testing.assert_array_equal(drawn.confusion_matrix, confusion_matrix(rows[1], fitted.predict(rows[0])))
    curve = CalibrationDisplay.from_estimator(fitted, *rows, n_bins=3)
    np.testing.assert_array_equal(curve.y_prob, fitted.predict_proba(rows[0])[:, 1])
    matplotlib.pyplot.close("all")
