"""A folder of outputs: what is complete, what is missing, and what it was made from."""

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest

from outsort.errors import DataError, OutputError
from outsort.scoring.files import Options
from outsort.scoring.folder import MANIFEST, batch_run, score_files


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
    """Write n outputs, each a file that says so in its first line, and fail."""
    with suppress(ZeroDivisionError), batch_run(sources, out, model, Options(), force=force, resume=False) as run:
        run.start()
        for job in run.missing[:n]:
            job.target.write_text("made by this run\n1\n2\n")
            run.finish(job, 2)
        raise ZeroDivisionError


def test_the_manifest_names_input_rows_and_model(sources, out, model):
    score_files(sources, out, model)
    manifest = manifest_of(out)
    assert manifest["model"] == model.fingerprint
    assert manifest["jobs"] == {
        Path(source).name: {"source": source, "bytes": Path(source).stat().st_size, "rows": 2} for source in sources
    }


def test_a_run_that_failed_records_how_far_it_got(sources, out, model):
    stopped_after(1, sources, out, model)
    assert [job["rows"] for job in manifest_of(out)["jobs"].values()] == [2, None, None]
    assert list(score_files(sources, out, model, resume=True)) == [str(out / "b.csv"), str(out / "c.csv")]
    assert (out / "a.csv").read_text().startswith("made by")


def test_a_first_run_that_wrote_nothing_leaves_nothing_in_the_way(sources, out, model):
    stopped_after(0, sources, out, model)
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").touch()
    stopped_after(0, sources, out, model)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert len(score_files(sources, out, model)) == 3


def test_a_run_that_goes_on_keeps_its_record_though_it_writes_nothing(sources, out, model):
    stopped_after(1, sources, out, model)
    with suppress(ZeroDivisionError), batch_run(sources, out, model, Options(), force=False, resume=True) as run:
        run.start()
        raise ZeroDivisionError
    assert manifest_of(out)["jobs"]["a.csv"]["rows"] == 2


def test_a_folder_is_no_input_and_no_match_of_a_pattern(sources, out, model):
    folder = Path(sources[0]).parent
    with pytest.raises(DataError, match=r"in: is a folder\. Name its files, as in '.*\*\.csv'\."):
        score_files([str(folder)], out, model)
    assert not out.exists()
    (folder / "more.csv").mkdir()
    assert len(score_files([str(folder / "*")], out, model)) == 3


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["b.pdf", "a.PDF", "c.docx", "d.docx", "z.png", "y.png", "x.png"], "*.docx"),
        (["a.csv.gz"], "*.gz"),
        (["photo.png"], "*.csv"),
    ],
)
def test_the_pattern_that_is_named_for_a_folder_fits_what_is_in_it(tmp_path, out, model, names, pattern):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=re.escape(f"as in '{tmp_path / pattern}'.")):
        score_files([str(tmp_path)], out, model)


def test_nothing_is_written_before_the_start(sources, out, model):
    with batch_run(sources, out, model, Options(), force=False, resume=False):
        pass
    assert not out.exists()


def test_an_output_that_was_finished_but_not_recorded_is_counted(sources, out, model):
    score_files(sources, out, model)
    noted = manifest_of(out)
    noted["jobs"]["b.csv"]["rows"] = None
    (out / MANIFEST).write_text(json.dumps(noted))
    assert score_files(sources, out, model, resume=True) == {}
    assert manifest_of(out)["jobs"]["b.csv"]["rows"] == 2


def test_outputs_of_an_older_run_do_not_count_as_new(sources, out, model, two_class_model):
    score_files(sources, out, two_class_model)
    stopped_after(1, sources, out, model, force=True)
    score_files(sources, out, model, resume=True)
    assert (out / "a.csv").read_text().startswith("made by")
    for name in "bc":
        assert model.fingerprint in (out / f"{name}.csv").read_text()
    assert not any("older" in job for job in manifest_of(out)["jobs"].values())


def test_new_inputs_join_a_run(sources, out, model):
    score_files(sources[:2], out, model)
    assert list(score_files(sources, out, model, resume=True)) == [str(out / "c.csv")]
    assert list(manifest_of(out)["jobs"]) == ["a.csv", "b.csv", "c.csv"]


def test_temporary_files_of_killed_processes_are_removed(sources, out, model):
    stopped_after(1, sources, out, model)
    for left in ("b.csv", MANIFEST):
        (out / f".{left}.outsort.part").write_text("half")
        (out / f".{left}.outsort.lock").touch()
    (out / ".mine.csv.outsort.part").write_text("of another run")
    stopped_after(0, sources, out, model, force=True)
    assert sorted(p.name for p in out.glob(".*")) == [".mine.csv.outsort.part"]


class TestRefused:
    def test_a_second_run_without_an_option(self, sources, out, model):
        score_files(sources, out, model)
        with pytest.raises(OutputError, match=r"already holds the outputs of a run\. Pass --resume"):
            score_files(sources, out, model)

    def test_files_that_no_run_made(self, sources, out, model):
        out.mkdir()
        (out / "b.csv").write_text("mine")
        with pytest.raises(OutputError, match="already exists"):
            score_files(sources, out, model)
        with pytest.raises(OutputError, match=r"b\.csv: was made from something else"):
            score_files(sources, out, model, resume=True)
        assert (out / "b.csv").read_text() == "mine"

    @pytest.mark.parametrize("option", [{"explain": True}, {"prefix": "x_"}, {"text_columns": ["id"]}])
    def test_other_options(self, sources, out, model, option):
        score_files(sources, out, model)
        with pytest.raises(OutputError, match=f"started with another {next(iter(option))}"):
            score_files(sources, out, model, options=Options(**option), resume=True)

    def test_an_input_that_changed(self, sources, out, model):
        score_files(sources, out, model)
        with Path(sources[0]).open("a") as file:
            file.write("3,more\n")
        with pytest.raises(OutputError, match=rf"{sources[0]} has changed since"):
            score_files(sources, out, model, resume=True)

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"jobs": []}', '{"jobs": {"a.csv": 1}}'])
    def test_a_damaged_manifest(self, sources, out, model, content):
        out.mkdir()
        (out / MANIFEST).write_text(content)
        with pytest.raises(OutputError, match=r"is damaged\. Start again"):
            score_files(sources, out, model, resume=True)

    def test_a_folder_that_is_a_file(self, sources, out, model):
        out.write_text("")
        with pytest.raises(OutputError, match="cannot create this folder"):
            score_files(sources, out, model)

    def test_an_input_that_is_missing(self, sources, out, model):
        with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
            score_files([*sources, "nowhere.csv"], out, model)
        assert not out.exists()
