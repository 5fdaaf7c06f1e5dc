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

from outsort.prediction import default_model, predict
from outsort.scoring.kernel import Kernel

known = st.sampled_from(["data", "entry", "Contract", "DESIGN", "review", "translate", "logo", "500", "naïve"])
texts = st.one_of(
    st.text(),
    st.lists(st.one_of(known, st.text(max_size=6)), max_size=15).map(" ".join),
    st.text(st.characters(max_codepoint=127)),
    st.text(st.characters(min_codepoint=0x300, max_codepoint=0x370), max_size=5),
)


@pytest.fixture(scope="module")
def kernel():
    return Kernel(default_model(), 2)


def agrees(kernel, batch):
    model = kernel.model
    answers = kernel.answer(batch)
    log_odds = model.decision_function(batch)
    np.testing.assert_allclose(answers.log_odds, log_odds, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(answers.log_odds > 0, log_odds > 0)
    np.testing.assert_allclose(answers.neither, model.neither_proba(batch), rtol=0, atol=1e-5)
    for i, answer in enumerate(predict(batch, model)):
        assert answers.blank[i] == (not batch[i].strip())
        if answer.service_line is not None:
            scores = model.line_scores([batch[i]])[0]
            assert scores[answers.line[i]] >= scores[model.lines.index(answer.service_line)] - 1e-4


@given(batch=st.lists(texts, max_size=6))
@settings(deadline=None, max_examples=200)
@example(batch=["İstanbul ŞİRKETİ", "ﬁle ﬁle", "ｄａｔａ ｅｎｔｒｙ", "a\u0301b", "\x1c", "\u3000", "€", "．", "_"])
@example(batch=["x" * 64 + "y" * 70, "é" * 64 + "ü" * 3, "word" * 40])
@example(batch=["\ud800 data entry \udfff", "data\x00entry", "٣٤٥ ١", "½ ²"])
def test_the_kernel_answers_as_the_model_on_any_text(kernel, batch):
    agrees(kernel, batch)


def test_an_underscore_joins_words_for_the_kernel_as_for_the_model(kernel):
    agrees(kernel, ["data_entry", "_patent search_", "key_invoices into_sap", "naïve_design", "a _ logo"])


def test_words_of_digits_and_underscores_alone_are_no_words_in_letters(kernel):
    n_words = {"_": 0, "__ 12": 0, "12_34": 0, "a_1": 1, "_ logo 5 é_": 2}
    assert kernel.answer(list(n_words)).n_words.tolist() == list(n_words.values())
    for text, n in n_words.items():
        assert (predict(text, kernel.model).reason == "no words") == (n == 0)


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
    assert first.log_odds[0] == second.log_odds[0]


def test_a_tie_is_bpo_as_in_the_model():
    even = dataclasses.replace(
        default_model(),
        weights=np.zeros_like(default_model().weights),
        bias=np.array([0.0 if x != "NEITHER" else -9 for x in default_model().line_labels], np.float32),
    )
    answers = Kernel(even).answer(["anything", ""])
    np.testing.assert_array_equal(answers.log_odds > 0, even.decision_function(["anything", ""]) > 0)


def test_arrow_arrays_of_every_kind_agree_with_lists(kernel):
    plain = ["key invoices", "Übersetzung", "", "draft a lease", "logo"]
    expected = kernel.answer(plain).log_odds
    for array in (
        pa.array(plain),
        pa.array(plain, pa.large_string()),
        pa.chunked_array([plain[:2], plain[2:]]),
        pa.array(["cut off", *plain, "cut off"])[1:-1],
        pa.array(["key invoices", "Übersetzung", None, "draft a lease", "logo"]),
        pa.array(plain).dictionary_encode(),
    ):
        np.testing.assert_array_equal(kernel.answer(array).log_odds, expected)
    assert len(kernel.answer(pa.array([], pa.string())).log_odds) == 0
    assert len(kernel.answer([]).log_odds) == 0


def test_threads_give_what_one_thread_gives():
    batch = [f"{word} {i}" for i in range(3000) for word in ("invoice", "design", "naïve")]
    one, two = Kernel(default_model(), 1).answer(batch), Kernel(default_model(), 2).answer(batch)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)


def test_models_without_lines_or_neither_are_served(two_class_model):
    answers = Kernel(two_class_model).answer(["key invoices", "draft a contract"])
    np.testing.assert_allclose(
        answers.log_odds, two_class_model.decision_function(["key invoices", "draft a contract"]), atol=1e-5
    )
    assert np.isnan(answers.neither).all()


@pytest.mark.slow
def test_ten_megabytes_as_one_text_agree(kernel):
    agrees(kernel, ["Type the invoices of each supplier into the ledger. " * 200_000])


def test_what_is_no_text_is_refused(kernel):
    with pytest.raises(TypeError, match="text 1 is 5, a int, not a string"):
        kernel.answer(["a", 5])


@pytest.mark.parametrize("n_workers", [1, 2])
def test_threads_may_share_a_kernel(model, n_workers):
    # Eight threads on one kernel, each with texts of its own, against one thread alone.
    texts = [[f"{word} {number} invoices and contracts" for number in range(400)] for word in ("key", "draft") * 4]
    alone = [Kernel(model).answer(part).log_odds for part in texts]
    shared = Kernel(model, n_workers)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            for expected, found in zip(alone, pool.map(shared.answer, texts), strict=True):
                np.testing.assert_array_equal(found.log_odds, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kernel_made_before_a_fork_answers_in_the_child(model):
    # As in a server that loads its model and then forks its workers: their threads are gone in the child.
    kernel = Kernel(model, 2)
    expected = kernel.answer(["key invoices", "draft a contract"]).log_odds
    child = os.fork()
    if not child:
        signal.alarm(20)
        found = kernel.answer(["key invoices", "draft a contract"]).log_odds
        os._exit(0 if (found == expected).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
