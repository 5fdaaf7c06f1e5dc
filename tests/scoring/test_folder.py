"""A folder of parts: what is there, what is missing, and of what."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from outsort.errors import DataError, OutputError
from outsort.scoring.files import Options
from outsort.scoring.folder import MANIFEST, begun, score_files


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.csv").write_text("id,task\n1,key invoices\n2,draft a contract\n")
    return [str(folder / f"{name}.csv") for name in "abc"]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def manifest_of(out):
    return json.loads((out / MANIFEST).read_text())


def stopped_after(n, sources, out, model, *, force=False):
    """Make n parts, each a file that says so in its first line, and fail."""
    with (
        suppress(ZeroDivisionError),
        begun(sources, out, model, Options(), force=force, resume=False) as run,
    ):
        run.start()
        for part in run.missing[:n]:
            part.target.write_text("made by this run\n1\n2\n")
            run.finish(part, 2)
        raise ZeroDivisionError


def test_the_manifest_names_input_rows_and_model(sources, out, model):
    score_files(sources, out, model)
    manifest = manifest_of(out)
    assert manifest["model"] == model.fingerprint
    assert manifest["parts"] == {
        Path(source).name: {"source": source, "bytes": Path(source).stat().st_size, "rows": 2}
        for source in sources
    }


def test_a_run_that_failed_says_how_far_it_came(sources, out, model):
    stopped_after(1, sources, out, model)
    assert [part["rows"] for part in manifest_of(out)["parts"].values()] == [2, None, None]
    assert list(score_files(sources, out, model, resume=True)) == [str(out / "b.csv"), str(out / "c.csv")]
    assert (out / "a.csv").read_text().startswith("made by")


def test_nothing_is_made_before_the_start(sources, out, model):
    with begun(sources, out, model, Options(), force=False, resume=False):
        pass
    assert not out.exists()


def test_a_part_that_was_finished_but_not_noted_is_counted(sources, out, model):
    score_files(sources, out, model)
    noted = manifest_of(out)
    noted["parts"]["b.csv"]["rows"] = None
    (out / MANIFEST).write_text(json.dumps(noted))
    assert score_files(sources, out, model, resume=True) == {}
    assert manifest_of(out)["parts"]["b.csv"]["rows"] == 2


def test_parts_of_an_older_run_do_not_pass_for_those_of_the_new(sources, out, model, two_class_model):
    score_files(sources, out, two_class_model)
    stopped_after(1, sources, out, model, force=True)
    score_files(sources, out, model, resume=True)
    assert (out / "a.csv").read_text().startswith("made by")
    for name in "bc":
        assert model.fingerprint in (out / f"{name}.csv").read_text()
    assert not any("older" in part for part in manifest_of(out)["parts"].values())


def test_new_inputs_join_a_run(sources, out, model):
    score_files(sources[:2], out, model)
    assert list(score_files(sources, out, model, resume=True)) == [str(out / "c.csv")]
    assert list(manifest_of(out)["parts"]) == ["a.csv", "b.csv", "c.csv"]


def test_what_killed_processes_left_is_removed(sources, out, model):
    stopped_after(1, sources, out, model)
    for left in (".b.csv.abc_1234.part", f".{MANIFEST}.abc_1234.part"):
        (out / left).write_text("half")
    (out / ".mine.csv.abc_1234.part").write_text("of another run")
    score_files(sources, out, model, resume=True)
    assert sorted(p.name for p in out.glob(".*")) == [".mine.csv.abc_1234.part"]


class TestRefused:
    def test_a_second_run_without_a_word(self, sources, out, model):
        score_files(sources, out, model)
        with pytest.raises(OutputError, match=r"holds the parts of a run already\. Pass --resume"):
            score_files(sources, out, model)

    def test_files_that_no_run_made(self, sources, out, model):
        out.mkdir()
        (out / "b.csv").write_text("mine")
        with pytest.raises(OutputError, match="exists already"):
            score_files(sources, out, model)
        with pytest.raises(OutputError, match=r"b\.csv: was made of something else"):
            score_files(sources, out, model, resume=True)
        assert (out / "b.csv").read_text() == "mine"

    @pytest.mark.parametrize("option", [{"explain": True}, {"prefix": "x_"}, {"text_columns": ["id"]}])
    def test_other_options(self, sources, out, model, option):
        score_files(sources, out, model)
        with pytest.raises(OutputError, match=f"begun with another {next(iter(option))}"):
            score_files(sources, out, model, options=Options(**option), resume=True)

    def test_an_input_that_changed(self, sources, out, model):
        score_files(sources, out, model)
        with Path(sources[0]).open("a") as file:
            file.write("3,more\n")
        with pytest.raises(OutputError, match=rf"{sources[0]} has changed since"):
            score_files(sources, out, model, resume=True)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"parts": []}', '{"parts": {"a.csv": 1}}'])
    def test_a_damaged_manifest(self, sources, out, model, content):
        out.mkdir()
        (out / MANIFEST).write_text(content)
        with pytest.raises(OutputError, match=r"is damaged\. Start again"):
            score_files(sources, out, model, resume=True)

    def test_a_folder_that_is_a_file(self, sources, out, model):
        out.write_text("")
        with pytest.raises(OutputError, match="cannot be made a folder"):
            score_files(sources, out, model)

    def test_an_input_that_is_missing(self, sources, out, model):
        with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
            score_files([*sources, "nowhere.csv"], out, model)
        assert not out.exists()
