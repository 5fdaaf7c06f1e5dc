"""The kernel against the model it stands for: the same answers on any text."""

import dataclasses
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models import WORDS, random_model
from outsort import text as text_module
from outsort.buffers import first_told, utf8_column
from outsort.prediction import default_model, predict
from outsort.scoring.kernel import Kernel, _answer

known = st.sampled_from(["data", "entry", "Contract", "DESIGN", "review", "translate", "logo", "500", *WORDS])
texts = st.one_of(
    st.text(),
    st.lists(st.one_of(known, st.text(max_size=6)), max_size=15).map(" ".join),
    st.text(st.characters(max_codepoint=127)),
    st.text(st.characters(min_codepoint=0x300, max_codepoint=0x370), max_size=5),
)
#: What clauses end with, or seem to.
marks = st.one_of(
    st.sampled_from([*"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\r\n", "\n- ", " * ", " • ", "... ", " 1. ", "1) "]),
    st.text("""\t .!?"')([*-_""", min_size=1, max_size=4),
)
#: Characters that the kernel reads by themselves, or as others, and some that it does not.
signs = st.sampled_from([*"–—£€·•…’“”°→éñßçю日\u00a0\u200b\ufffdÉ٣½™", "\u0301"])
#: Clauses of known words, many of them short, some run on.
long_texts = st.lists(
    st.one_of(known, known.map(str.title), marks, signs, st.just(" "), st.just(". "), st.text(max_size=3)), max_size=120
).map("".join)
signed_texts = st.lists(st.one_of(known, known.map(str.title), marks, signs), max_size=60).map("".join)
run_on_texts = st.lists(known, min_size=15, max_size=70).map(" ".join)


@pytest.fixture(scope="module")
def kernel():
    return Kernel(default_model(), 2)


def agrees(kernel, batch):
    """Compare the kernel's answers with those of the model, text by text."""
    model = kernel.model
    answers = kernel.answer(batch, with_lines=True)
    proba = model.predict_proba(batch)
    np.testing.assert_allclose(answers.proba, proba, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(answers.proba.argmax(axis=1), proba.argmax(axis=1))
    for i, text in enumerate(batch):
        assert answers.blank[i] == (not text.strip())
        reading = model.read(text)
        made_of = model.mixture(text, reading)
        np.testing.assert_allclose(answers.shares[i], made_of.shares, rtol=0, atol=1e-4)
        np.testing.assert_allclose(answers.margin[i], made_of.margin, rtol=0, atol=1e-3)
        np.testing.assert_allclose(answers.disagreement[i], made_of.disagreement, rtol=0, atol=1e-4)
        assert answers.n_terms[i] == sum(len(vector.ids) for vector in reading.vectors)
        assert answers.says[i] == pytest.approx(reading.says.max(), abs=1e-4)
        scores = reading.shares @ reading.scores
        np.testing.assert_allclose(answers.line_scores[i], scores, rtol=1e-5, atol=1e-4)
        of_label = model.lines_of(model.labels[proba[i].argmax()])
        assert answers.line[i] in of_label
        assert scores[answers.line[i]] >= scores[of_label].max() - 1e-4


@pytest.mark.slow
@given(batch=st.lists(texts | long_texts | signed_texts | run_on_texts, max_size=6))
@settings(max_examples=2 * settings.default.max_examples)
@example(batch=["İstanbul ŞİRKETİ", "ﬁle ﬁle", "ｄａｔａ ｅｎｔｒｙ", "a\u0301b", "\x1c", "\u3000", "€", "．", "_"])
@example(batch=["x" * 64 + "y" * 70, "é" * 64 + "ü" * 3, "word" * 40])
@example(batch=["\ud800 data entry \udfff", "data\x00entry", "٣٤٥ ١", "½ ²"])
def test_the_kernel_answers_as_the_model_on_any_text(kernel, batch):
    agrees(kernel, batch)


@pytest.fixture(scope="module", params=[(2, False), (2, True), (3, True), (5, False), (20, True)])
def kernel_of_any(request):
    """A kernel of some labels, with or without one for what is out of scope."""
    n_labels, with_out_of_scope = request.param
    return Kernel(random_model(n_labels, with_out_of_scope=with_out_of_scope), 1)


@pytest.mark.slow
@given(batch=st.lists(texts | long_texts | signed_texts | run_on_texts, max_size=6))
@example(batch=["Key invoices. " * 3_000, "entry\n" * 1_001 + "audit " * 90, "naïve draft\u2028" * 1_500])
@example(batch=["clean " * 20, "clean " * 21, "clean " * 40 + "éclair", "clean floor " * 400, "a" * 64 * 25])
@example(
    batch=["Draft No. 5. Draft J. Audit co. Floor", "key.\x1cKey", "key!\"') audit", "key. \x1f Key", "e.g. A key"]
)
def test_the_kernel_reads_clauses_as_the_model_whatever_the_labels(kernel_of_any, batch):
    agrees(kernel_of_any, batch)


@pytest.mark.parametrize("n_clauses", [999, 1_000, 1_001])
@pytest.mark.parametrize("word", ["audit", "naïve"])
def test_more_clauses_than_are_told_apart_agree(model, n_clauses, word):
    batch = [f"{word}. Key" + "\nclean floor" * (n_clauses - 2) + end for end in ("", "\n", "\ndraft", "\n\n.")]
    assert max(len(text_module.clauses(text)) for text in batch) == min(n_clauses + 1, text_module.MAX_CLAUSES)
    agrees(Kernel(model), batch)


def test_an_underscore_joins_words_for_the_kernel_as_for_the_model(kernel):
    agrees(kernel, ["data_entry", "_patent search_", "key_invoices into_sap", "naïve_design", "a _ logo"])


def test_words_of_digits_and_underscores_alone_are_no_words_in_letters(kernel):
    n_words = {"_": 0, "__ 12": 0, "12_34": 0, "a_1": 1, "_ logo 5 é_": 2}
    assert kernel.answer(list(n_words)).n_words.tolist() == list(n_words.values())
    for text, n in n_words.items():
        assert (predict(text, kernel.model).reason == "no words") == (n == 0)


def test_clauses_that_hardly_count_agree(model):
    # Their weights are below what single precision holds.
    agrees(
        Kernel(dataclasses.replace(model, position=np.array([-400.0, 1.0]))), ["draft a lease", "logo. Key invoices"]
    )


def test_words_of_every_length_and_repeats_agree(kernel):
    agrees(kernel, [" ".join(["ingesting testing"] * n) for n in range(1, 40)])


def test_more_words_than_are_remembered_agree(monkeypatch):
    monkeypatch.setattr("outsort.scoring.kernel._N_CACHED", 8)
    small = Kernel(default_model(), 1)
    # Compiled code keeps the constants it was compiled with: it must go by the size of the arrays.
    batch = [f"{a}{b} invoice{a} design{b}" for a in "abcdefgh" for b in "ijklmnop"]
    agrees(small, batch)
    agrees(small, batch[::-1])


def test_a_text_in_two_batches_gets_one_answer(kernel):
    first, second = (kernel.answer(["Key invoices into SAP", other]) for other in ("", "Prior art search"))
    np.testing.assert_array_equal(first.proba[0], second.proba[0])


def test_what_is_near_a_level_is_decided_as_by_the_model(model):
    # Single precision would come out on either side of a level that a text reaches exactly.
    texts = [
        f"{first}. {second}" for first in ("Key invoices", "Draft a contract") for second in ("audit", "sap", "lease")
    ]
    for text in texts:
        answer, made_of = predict(text, model), model.mixture(text, model.read(text))
        for levels in ({"mixed": made_of.disagreement}, {"mixed": 1.0, "threshold": answer.probability}):
            near = dataclasses.replace(model, **levels)
            found = Kernel(near).answer([text])
            assert (found.disagreement[0] >= near.mixed) == (made_of.disagreement >= near.mixed)
            assert (found.proba[0].max() >= near.threshold) == (answer.probability >= near.threshold)


def test_a_tie_is_the_first_label_as_in_the_model(model):
    even = dataclasses.replace(model, weights=np.zeros_like(model.weights), bias=np.zeros_like(model.bias))
    answers = Kernel(even).answer(["anything", ""])
    assert [even.labels[i] for i in answers.proba.argmax(axis=1)] == even.predict(["anything", ""]).tolist()


def test_arrow_arrays_of_every_kind_agree_with_lists(kernel):
    plain = ["key invoices", "Übersetzung", "", "draft a lease", "logo"]
    expected = kernel.answer(plain).proba
    for array in (
        pa.array(plain),
        pa.array(plain, pa.large_string()),
        pa.chunked_array([plain[:2], plain[2:]]),
        pa.array(["cut off", *plain, "cut off"])[1:-1],
        pa.array(["key invoices", "Übersetzung", None, "draft a lease", "logo"]),
        pa.array(plain).dictionary_encode(),
    ):
        np.testing.assert_array_equal(kernel.answer(array).proba, expected)
    assert kernel.answer(pa.array([], pa.string())).proba.shape == (0, 3)
    assert kernel.answer([]).proba.shape == (0, 3)


def test_threads_give_what_one_thread_gives():
    batch = [f"{word} {i}" for i in range(3000) for word in ("invoice", "design", "naïve")]
    one, two = Kernel(default_model(), 1).answer(batch), Kernel(default_model(), 2).answer(batch)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)


def test_models_without_lines_are_served(two_class_model):
    agrees(Kernel(two_class_model), ["key invoices", "draft a contract", ""])


@pytest.mark.slow
def test_megabytes_as_one_text_agree(kernel):
    agrees(kernel, ["type the invoices, é. " * 100_000])


def test_what_is_no_text_is_refused(kernel):
    with pytest.raises(TypeError, match="text 1 is 5, a int, not a string"):
        kernel.answer(["a", 5])


@pytest.mark.parametrize("n_workers", [1, 2])
def test_threads_may_share_a_kernel(model, n_workers):
    # Eight threads on one kernel, each with texts of its own, against one thread alone.
    texts = [[f"{word} {number} invoices and contracts" for number in range(400)] for word in ("key", "draft") * 4]
    alone = [Kernel(model).answer(part).proba for part in texts]
    shared = Kernel(model, n_workers)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            for expected, found in zip(alone, pool.map(shared.answer, texts), strict=True):
                np.testing.assert_array_equal(found.proba, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kernel_made_before_a_fork_answers_in_the_child(model):
    # As in a server that loads its model and then forks its workers: their threads are gone in the child.
    kernel = Kernel(model, 2)
    expected = kernel.answer(["key invoices", "draft a contract"]).proba
    child = os.fork()
    if not child:
        signal.alarm(120)
        found = kernel.answer(["key invoices", "draft a contract"]).proba
        os._exit(0 if (found == expected).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_arrays_that_may_not_be_written_are_copied_so_that_nothing_is_compiled_anew():
    model = random_model(3, with_out_of_scope=True)
    for name in ("position", "later", "calibration", "prior"):
        getattr(model, name).flags.writeable = False
    assert all(part.flags.writeable for part in Kernel(model)._layout if isinstance(part, np.ndarray))


def test_texts_from_anywhere_are_of_one_kind_so_that_nothing_is_compiled_anew(kernel):
    kernel.answer(["tax"])
    before = list(_answer.signatures)
    joined = first_told(map(utf8_column, (["tax", ""], ["", "audit"])))
    for texts in (pa.array(["tax"]), pa.array(["tax", None], pa.large_string()), joined):
        kernel.answer(texts)
    assert _answer.signatures == before
