"""Labels of one's own words: with --label-map every command does what it does with the labels meant."""

import pandas as pd
import pytest

from outsort import model_file as model_files

OWN = {"BPO": "Transactional", "KPO": "Knowledge work", "NEITHER": "neither"}
MAP = "transactional=BPO,Knowledge Work=KPO"


@pytest.fixture
def own_file(csv_file, tmp_path):
    """The small data set under labels of one's own words."""
    frame = pd.read_csv(csv_file, dtype=str, keep_default_na=False)
    path = tmp_path / "own" / csv_file.name
    path.parent.mkdir()
    frame.assign(label=frame["label"].map(OWN)).to_csv(path, index=False)
    return path


@pytest.fixture
def model_file(model, tmp_path):
    model_files.save(model, tmp_path / "m.joblib")
    return tmp_path / "m.joblib"


@pytest.mark.parametrize("command", ["evaluate", "compare", pytest.param("check", marks=pytest.mark.slow)])
def test_a_command_prints_the_same(outsort, csv_file, own_file, model_file, command):
    models = {"evaluate": ["-m", model_file], "compare": [], "check": []}[command]
    before = [model_file, model_file] if command == "compare" else []
    meant = outsort(command, *before, csv_file, *models)
    told = outsort(command, *before, own_file, *models, "--label-map", MAP)
    assert (told.code, told.out.replace(str(own_file), "")) == (0, meant.out.replace(str(csv_file), ""))
    if command != "check":
        assert f"{own_file}: label 'Transactional' is taken for 'BPO'" in told.err


def test_a_model_learns_the_same(outsort, csv_file, own_file, tmp_path):
    for name, data, options in (("meant", csv_file, []), ("told", own_file, ["--label-map", MAP])):
        assert outsort("train", data, "-o", tmp_path / name, "--folds", 0, *options).code == 0
    texts = ["key invoices", "argue the case"]
    answers = [outsort("predict", *texts, "-m", tmp_path / name, "-f", "csv").out for name in ("meant", "told")]
    assert answers[0] == answers[1]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["plan", "retrain"])
def test_a_long_command_prints_the_same(outsort, csv_file, own_file, model_file, tmp_path, command):
    said = []
    for name, data, options in (("meant", csv_file, []), ("told", own_file, ["--label-map", MAP])):
        output = ["--base", model_file, "-o", tmp_path / name] if command == "retrain" else []
        done = outsort(command, data, *output, "--folds", 2, *options)
        said.append((done.code, done.out.replace(str(data), "").replace(str(tmp_path / name), "")))
    assert said[0] == said[1]


def test_unknown_labels_are_met_with_the_option_filled_in(outsort, own_file, model_file):
    done = outsort("evaluate", own_file, "-m", model_file)
    assert done.code == 1
    assert (
        'If they are your own words: --label-map "Transactional=LABEL,Knowledge work=LABEL", '
        "with BPO or KPO or NEITHER for each LABEL."
    ) in done.err.replace("Knowledge work=LABEL,Transactional=LABEL", "Transactional=LABEL,Knowledge work=LABEL")


def test_a_map_that_cannot_be_read_is_named(outsort, own_file, model_file, tmp_path):
    done = outsort("evaluate", own_file, "-m", model_file, "--label-map", tmp_path / "no.csv")
    assert done.code == 1
    assert f"{tmp_path}/no.csv" in done.err
