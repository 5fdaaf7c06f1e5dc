import dataclasses
import io
import os
import pickle
import random
import tracemalloc
import zlib

import joblib
import numpy as np
import pytest

from models import random_model
from outsort import model_file
from outsort.errors import ModelError, OutputError
from outsort.training import fitting, folds, train


def saved_content(model, path):
    """Return the dict in a model file, read by joblib itself."""
    model_file.save(model, path)
    return joblib.load(path)


def test_a_model_comes_back_as_it_was_saved(frame, tmp_path):
    settings = fitting.Settings(C=2.5, passes=7, steps=500, min_texts=1, prune=0.01, seed=7)
    model = train.train(frame, checks=folds.Checks(folds=2), settings=settings)
    model_file.save(model, tmp_path / "m.joblib")
    again = model_file.load(tmp_path / "m.joblib")
    assert list(again.terms) == list(model.terms)
    assert (again.lines, again.line_labels) == (model.lines, model.line_labels)
    assert (again.labels, again.out_of_scope) == (("BPO", "KPO", "NEITHER"), "NEITHER")
    for name in ("idf", "indptr", "indices", "weights", "bias", "seen"):
        array = getattr(again, name)
        np.testing.assert_array_equal(array, getattr(model, name))
        assert array.dtype == getattr(model, name).dtype
    assert again.about == model.about
    assert again.about["settings"]["C"] == 2.5
    assert again.about["scores"]


@pytest.mark.parametrize("with_out_of_scope", [False, True])
def test_clauses_calibration_and_role_come_back(tmp_path, with_out_of_scope):
    model = dataclasses.replace(random_model(5, with_out_of_scope=with_out_of_scope), threshold=0.8)
    model_file.save(model, tmp_path / "m.joblib")
    again = model_file.load(tmp_path / "m.joblib")
    for name in ("position", "later", "calibration"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    assert (again.out_of_scope, again.labels) == (model.out_of_scope, model.labels)
    assert (again.threshold, again.fingerprint) == (0.8, model.fingerprint)
    texts = ["Key invoices. Draft a contract", ""]
    np.testing.assert_array_equal(again.predict_proba(texts), model.predict_proba(texts))


def test_everything_that_answers_depend_on_changes_the_fingerprint(model):
    changes = [
        {"position": model.position + 1},
        {"later": model.later + 1},
        {"calibration": model.calibration + 1},
        {"out_of_scope": ""},
        {"threshold": 0.5},
    ]
    assert len({dataclasses.replace(model, **change).fingerprint for change in [{}, *changes]}) == 6


def test_the_same_data_and_seed_give_the_same_file_to_the_last_byte(frame, tmp_path):
    for name in ("a", "b"):
        model_file.save(train.train(frame, checks=folds.Checks(folds=2)), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_holds_plain_data_and_where_it_came_from(model, tmp_path):
    content = saved_content(model, tmp_path / "m.joblib")

    def kinds(value):
        if isinstance(value, dict):
            return {k for v in value.values() for k in kinds(v)} | {type(k) for k in value}
        if isinstance(value, (list, tuple)):
            return {k for v in value for k in kinds(v)}
        return {type(value)}

    assert kinds(content) <= {str, int, float, type(None), bytes}
    assert set(content["about"]) == {"data", "settings", "scores", "decision", "versions"}
    assert len(content["about"]["data"]["sha256"]) == 64
    assert set(content["about"]["versions"]) >= {"outsort", "numpy", "scikit-learn"}


def test_an_existing_file_is_kept_unless_forced(model, tmp_path):
    path = tmp_path / "m.joblib"
    path.write_text("precious")
    with pytest.raises(OutputError, match=r"m\.joblib: already exists\. Pass --force to replace it\."):
        model_file.save(model, path)
    assert path.read_text() == "precious"
    model_file.save(model, path, force=True)
    assert model_file.load(path).lines == model.lines


class Command:
    """Pickles as a call: what a hostile model file holds."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (str(self.flag),)


@pytest.mark.parametrize("dump", [joblib.dump, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_a_file_that_holds_code_is_refused_and_runs_nothing(model, tmp_path, dump):
    flag = tmp_path / "ran"
    content = saved_content(model, tmp_path / "m.joblib")
    dump(content | {"about": Command(flag)}, tmp_path / "evil.joblib")
    with pytest.raises(ModelError, match=r"evil\.joblib: refused, it contains code or objects \(posix\.mkdir\)"):
        model_file.load(tmp_path / "evil.joblib")
    assert not flag.exists()


def test_an_object_array_is_refused_before_its_own_pickle_is_read(model, tmp_path):
    # NumPy stores such an array as a pickle inside the file, which would be read by an ordinary unpickler.
    flag = tmp_path / "ran"
    content = saved_content(model, tmp_path / "m.joblib")
    joblib.dump(content | {"idf": np.array([Command(flag)], dtype=object)}, tmp_path / "evil.joblib")
    with pytest.raises(ModelError, match="refused, it contains code or objects"):
        model_file.load(tmp_path / "evil.joblib")
    assert not flag.exists()


def test_a_pickled_estimator_is_refused(tmp_path):
    from sklearn.linear_model import LogisticRegression

    joblib.dump(LogisticRegression(), tmp_path / "m.joblib")
    with pytest.raises(ModelError, match=r"objects \(sklearn\.linear_model"):
        model_file.load(tmp_path / "m.joblib")


@pytest.mark.parametrize("method", ["gzip", "bz2", "lzma", "xz"])
def test_a_file_compressed_in_another_way_is_refused_not_unpacked(model, tmp_path, method):
    content = saved_content(model, tmp_path / "m.joblib")
    joblib.dump(content, tmp_path / "z.joblib", compress=(method, 3))
    with pytest.raises(ModelError, match="damaged, or not a model file"):
        model_file.load(tmp_path / "z.joblib")


def test_a_compressed_file_that_goes_on_is_refused(model, tmp_path):
    model_file.save(model, tmp_path / "m.joblib")
    whole = (tmp_path / "m.joblib").read_bytes()
    for raw in (whole + b"more", whole + whole, whole[:-1]):
        with pytest.raises(ModelError, match="it is damaged, or not a model file: it ends too early or too late"):
            model_file.unpack(raw, "m.joblib")
    with pytest.raises(ModelError, match=r"it is damaged, or not a model file \(Error -3"):
        model_file.unpack(whole[:99] + bytes(99) + whole[198:], "m.joblib")


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_at_the_limit():
    stream = zlib.compressobj(9)
    bomb = b"".join(stream.compress(bytes(1 << 24)) for _ in range(64)) + stream.flush()
    assert len(bomb) < 2_000_000
    tracemalloc.start()
    with pytest.raises(ModelError, match="it is larger than 64 MB"):
        model_file.unpack(bomb, "m.joblib")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000_000


def test_a_file_cut_short_anywhere_is_refused(model, tmp_path):
    model_file.save(model, tmp_path / "m.joblib")
    whole = (tmp_path / "m.joblib").read_bytes()
    for length in range(0, len(whole) - 1, len(whole) // 50):
        (tmp_path / "cut.joblib").write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.joblib: refused, it is damaged"):
            model_file.load(tmp_path / "cut.joblib")


def hostile(*opcodes):
    """A pickle that ends as it begins: with these opcodes."""
    return b"\x80\x04" + b"".join(opcodes) + b"."


#: What asks for more memory than it brings, or for other objects than plain data; each file is under a kilobyte.
HOSTILE = {
    "a bytearray of 4 GB": hostile(pickle.BYTEARRAY8, (1 << 32).to_bytes(8, "little")),
    "a string of 4 GB": hostile(pickle.BINUNICODE8, (1 << 32).to_bytes(8, "little")),
    "bytes of 4 GB": hostile(pickle.BINBYTES8, (1 << 32).to_bytes(8, "little")),
    "a memo of 16 GB": hostile(pickle.NONE, pickle.LONG_BINPUT, (1 << 31).to_bytes(4, "little")),
    "a number of 4 GB": hostile(pickle.LONG4, (1 << 31).to_bytes(4, "little", signed=False)),
    "NumPy's array": pickle.dumps(np.zeros(3)),
    "NumPy's type": pickle.dumps(np.dtype("f4")),
    # Such a type can hold pointers to objects, and hide it: an array of it then follows the bytes of the file.
    "an extension code": hostile(pickle.EXT1, b"\x01"),
    "a persistent object": hostile(pickle.NONE, pickle.BINPERSID),
    "nothing": b"",
    "a second pickle behind": pickle.dumps({"format": "outsort model"}) + pickle.dumps(1),
}


def test_a_refusal_is_one_line_whatever_texts_the_file_holds(tmp_path):
    # Two of its texts are shown as the name of what it asks for: one may be all terms of a model.
    terms = "\n".join(f"term {i}" for i in range(10_000))
    (tmp_path / "m.joblib").write_bytes(pickle.dumps(["os", terms])[:-1] + pickle.STACK_GLOBAL + b".")
    with pytest.raises(ModelError, match=r"contains code or objects \(os\.term 0 term 1 .*…\), which") as refusal:
        model_file.load(tmp_path / "m.joblib")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_before_memory_is_taken(tmp_path, what):
    (tmp_path / "m.joblib").write_bytes(HOSTILE[what])
    tracemalloc.start()
    with pytest.raises(ModelError, match=r"m\.joblib: refused"):
        model_file.load(tmp_path / "m.joblib")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\x80\x04](" + b"]" * 2_000_000 + b"e.", "a model has fewer objects"),
        (b"\x80\x04](" + b"\x8c\x02ab" * 2_000_000 + b"e.", "a model has fewer objects"),
        (b"\x80\x04C\x00." + b"a" * (65 << 20), "it is larger than 64 MB"),
    ],
    ids=["empty lists", "short strings", "65 MB"],
)
def test_no_file_has_more_or_larger_objects_than_a_model(tmp_path, raw, why):
    # Seven million empty lists take 7 MB in a file and 500 MB in memory.
    (tmp_path / "m.joblib").write_bytes(raw)
    with pytest.raises(ModelError, match=why):
        model_file.load(tmp_path / "m.joblib")


def test_no_file_has_more_terms_than_a_model(model, tmp_path, monkeypatch):
    model_file.save(model, tmp_path / "m.joblib")
    monkeypatch.setattr(model_file, "_MAX_TERMS", len(model.terms) - 1)
    with pytest.raises(ModelError, match="it has more terms than any model"):
        model_file.load(tmp_path / "m.joblib")
    with pytest.raises(ModelError, match=r"n\.joblib: not written, it is larger"):
        model_file.save(model, tmp_path / "n.joblib")


def test_a_model_that_unpacks_to_more_than_is_read_is_not_written(model, tmp_path, monkeypatch):
    size = model_file.save(model, tmp_path / "m.joblib")
    assert (tmp_path / "m.joblib").stat().st_size == size == len(model_file.pack(model))
    monkeypatch.setattr(model_file, "_MAX_BYTES", size + 1)
    with pytest.raises(ModelError, match=r"n\.joblib: not written, it is larger"):
        model_file.save(model, tmp_path / "n.joblib")


def test_a_memo_of_any_size_is_not_asked_for(tmp_path):
    # The unpickler's memo is as long as the largest index that a file names.
    (tmp_path / "m.joblib").write_bytes(HOSTILE["a memo of 16 GB"])
    with pytest.raises(ModelError, match="LONG_BINPUT is not data"):
        model_file.load(tmp_path / "m.joblib")


def test_what_is_named_again_and_again_is_refused_before_it_is_written_out(model, tmp_path):
    # Thirty lists, each of them twice the one before: a gigabyte, written out.
    content = saved_content(model, tmp_path / "m.joblib")
    doubled = ["x"]
    for _ in range(30):
        doubled = [doubled, doubled]
    joblib.dump(content | {"about": {"data": doubled}}, tmp_path / "m.joblib")
    with pytest.raises(ModelError, match="written out, it is larger"):
        model_file.load(tmp_path / "m.joblib")


def test_no_bit_can_flip_unnoticed(model, tmp_path):
    # The oracle: whatever loads must be the very model that was saved.
    model_file.save(model, tmp_path / "m.joblib")
    whole = (tmp_path / "m.joblib").read_bytes()
    again = model_file.unpack(whole, "m.joblib")
    expected = [getattr(again, name) for name in ("fingerprint", "about")]
    rng = random.Random(0)
    n_loaded = 0
    for _ in range(2_000):
        raw = bytearray(whole)
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        try:
            found = model_file.unpack(bytes(raw), "m.joblib")
        except ModelError:
            continue
        n_loaded += 1
        assert [getattr(found, name) for name in ("fingerprint", "about")] == expected
    assert n_loaded < 100


def test_an_older_file_says_to_train_again(tmp_path):
    # Files of version 2 held NumPy's own arrays; those of version 3 knew two labels and no clauses.
    for version, arrays in ((2, {"idf": np.zeros(9)}), (3, {"knows_neither": True, "calibration": bytes(32)})):
        joblib.dump({"format": "outsort model", "format_version": version} | arrays, tmp_path / "old.joblib")
        message = rf"its format version is {version} and this outsort reads 7\. Train it again with 'outsort train'"
        with pytest.raises(ModelError, match=message):
            model_file.load(tmp_path / "old.joblib")


@pytest.mark.parametrize(
    ("dtype", "shape"), [("O", (2,)), ("<f4", (3,)), ("<f4", (-1, -2)), ("<U4", (1,)), ("<f4", (1 << 62, 1 << 62))]
)
def test_an_array_is_of_a_known_type_and_fits_its_shape(dtype, shape):
    with pytest.raises(ValueError, match="an array"):
        model_file._array(dtype, shape, b"\0" * 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 99}, "its format version is 99 and this outsort reads up to 7. Upgrade outsort"),
        ({"format_version": 0}, "is 0 and this outsort reads 7. Train it again with 'outsort train'"),
        ({"terms_version": 99}, "its terms version is 99"),
        ({"format_version": "1"}, "its format_version is missing"),
        ({"format": "other"}, "it is not a model made by 'outsort train'"),
        ({"format_version": 10**500}, "a number too large to be one"),
        ({"format_version": 10**4000}, "it is damaged, or not a model file"),
        ({"lines": None}, "its content is inconsistent"),
        ({"format_version": 4}, "is 4 and this outsort reads 7. Train it again with 'outsort train'"),
        ({"lines": [1]}, "a label or a service line is not a string"),
        ({"out_of_scope": None}, "a label or a service line is not a string"),
        ({"threshold": "0.9"}, "a level is not a number"),
        ({"about": []}, "about is not a dict"),
        ({"bias": ("<f4", (1,), bytes(4))}, "its content is not what was saved"),
    ],
)
def test_a_file_of_another_version_or_form_is_refused_with_the_way_out(model, tmp_path, change, message):
    content = saved_content(model, tmp_path / "m.joblib")
    joblib.dump(content | change, tmp_path / "other.joblib")
    with pytest.raises(ModelError) as refusal:
        model_file.load(tmp_path / "other.joblib")
    assert message in str(refusal.value)


def test_a_missing_model_names_the_way_to_make_one(tmp_path):
    with pytest.raises(ModelError, match=r"no such file\. Name a model file made by 'outsort train'"):
        model_file.load(tmp_path / "none.joblib")


def test_the_file_is_read_without_scikit_learn_objects_in_it(model, tmp_path):
    model_file.save(model, tmp_path / "m.joblib")
    raw = (tmp_path / "m.joblib").read_bytes()
    assert b"sklearn" not in zlib.decompress(raw)
    assert b"outsort.model" not in zlib.decompress(raw)
    assert joblib.load(io.BytesIO(raw))["format"] == "outsort model"


def test_a_model_trained_on_a_frame_says_so(frame):
    assert train.train(frame, checks=folds.Checks(folds=0)).about["data"]["source"] == "the frame"
