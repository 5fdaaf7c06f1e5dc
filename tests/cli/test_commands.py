"""Each command as a user meets it: what it prints, where, and its exit code."""

import csv
import io
import itertools
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pandas as pd
import pytest
from typer.main import get_command

import outsort as package
from outsort import load_model, save_model
from outsort.cli.main import _stopped, app
from outsort.explanation import explain
from outsort.model_file import FORMAT_VERSION
from outsort.reporting.card import card

TEXTS = ["key invoices, 500 a day", "draft a contract", ""]


@pytest.fixture
def model_file(model, tmp_path):
    path = tmp_path / "m.joblib"
    save_model(model, path)
    return path


@pytest.mark.parametrize("command", ["predict", "explain", "score", "review"])
def test_a_lone_carriage_return_in_a_text_leaves_csv_that_others_read(outsort, model_file, tmp_path, command):
    text, out = "fold\rleaflets", tmp_path / "out.csv"
    (tmp_path / "in.jsonl").write_text(json.dumps({"text": text}))
    if command in ("predict", "explain"):
        out.write_bytes(outsort(command, text, "-m", model_file, "-f", "csv").out.encode())
    else:
        outsort(command, tmp_path / "in.jsonl", "-m", model_file, "-o", out)
    with out.open(encoding="utf-8-sig", newline="") as file:
        found = [row["text"] for row in csv.DictReader(file)]
    # A queue has line ends that every spreadsheet keeps.
    assert set(found) == {text if command != "review" else "fold\nleaflets"}
    assert list(pd.read_csv(out)["text"]) == found


class TestPredict:
    def test_a_text_is_answered_in_csv_where_there_is_no_terminal(self, outsort, model_file):
        done = outsort("predict", "draft a contract", "-m", model_file)
        (row,) = csv.DictReader(io.StringIO(done.out))
        assert list(row) == [
            *("text", "label", "probability", "probabilities", "shares", "share_margin"),
            *("service_line", "decision", "reason", "for", "against"),
        ]
        assert (row["text"], row["label"], row["service_line"]) == ("draft a contract", "KPO", "legal_services")
        assert (done.code, done.err) == (0, "")

    def test_what_is_out_of_scope_is_answered_like_any_label(self, outsort, model_file):
        (found,) = json.loads(outsort("predict", "mop the office floors", "-m", model_file, "-f", "json").out)
        assert (found["label"], found["service_line"]) == ("NEITHER", "cleaning")
        assert found["probability"] == max(found["probabilities"].values())
        shown = outsort("predict", "mop the office floors", "-m", model_file, "-f", "table").out
        others = sorted(((p, label) for label, p in found["probabilities"].items() if label != "NEITHER"), reverse=True)
        assert f"NEITHER {found['probability']:13.2f}".split() == shown.split("floors")[1].split()[:2]
        assert ", ".join(f"{label} {p:.2f}" for p, label in others) in shown

    def test_every_format_holds_the_same_answers(self, outsort, model_file):
        def written(style):
            return outsort("predict", *TEXTS, "-m", model_file, "--format", style).out

        as_json = json.loads(written("json"))
        assert [json.loads(line) for line in written("jsonl").splitlines()] == as_json
        from_csv = list(csv.DictReader(io.StringIO(written("csv"))))
        for name in ("text", "label", "reason"):
            assert [row[name] for row in from_csv] == [row[name] for row in as_json]
        assert [float(row["probability"]) for row in from_csv] == [row["probability"] for row in as_json]
        table = written("table")
        assert all(row["label"] in table and row["text"][:4] in table for row in as_json)

    def test_the_command_says_what_python_says(self, outsort, model_file, model):
        for row, answer in zip(
            json.loads(outsort("predict", *TEXTS, "-m", model_file, "-f", "json").out),
            package.predict(TEXTS, model),
            strict=True,
        ):
            assert row["label"] == answer.label
            assert row["probability"] == pytest.approx(answer.probability, abs=1e-6)
            assert [item["term"] for item in row["for"]] == [term for term, _ in answer.terms_for]

    @pytest.mark.parametrize(
        ("piped", "texts"),
        [
            (b"key invoices\ndraft deeds\n", ["key invoices", "draft deeds"]),
            (b"key invoices\ndraft deeds", ["key invoices", "draft deeds"]),
            (b"key invoices\r\n\r\ndraft deeds\r\n", ["key invoices", "", "draft deeds"]),
            ("\N{BYTE ORDER MARK}Übersetzung\n".encode(), ["Übersetzung"]),
            ("Zeichen \x85 \u2028 trennen nicht\n".encode(), ["Zeichen \x85 \u2028 trennen nicht"]),
            (b"", []),
        ],
    )
    def test_a_pipe_gives_one_answer_a_line_and_loses_none(self, outsort, model_file, piped, texts):
        done = outsort("predict", "-m", model_file, "-f", "jsonl", stdin=piped)
        assert [json.loads(line)["text"] for line in done.out.split("\n")[:-1]] == texts
        assert done.code == 0

    def test_a_pipe_in_another_encoding_is_read_and_named(self, outsort, model_file):
        done = outsort("predict", "-m", model_file, "-f", "jsonl", stdin="Büro\n".encode("cp1252"))
        assert json.loads(done.out)["text"] == "Büro"
        assert done.err == "standard input: read as cp1252\n"

    def test_a_trailing_newline_changes_nothing(self, outsort, model_file):
        rows = [
            json.loads(outsort("predict", text, "-m", model_file, "-f", "jsonl").out)
            for text in ("draft a contract", "draft a contract\n")
        ]
        assert rows[0]["probability"] == rows[1]["probability"]

    @pytest.mark.parametrize(("text", "reason"), [("", "empty"), ("?!", "no words"), ("ξξ", "no known term")])
    def test_a_text_that_says_nothing_is_answered_with_its_reason(self, outsort, model_file, text, reason):
        done = outsort("predict", text, "-m", model_file, "-f", "json")
        assert json.loads(done.out)[0]["reason"] == reason
        assert done.code == 0

    def test_control_characters_do_not_reach_the_terminal_in_a_table(self, outsort, model_file):
        done = outsort("predict", "draft\x1b[31m [bold]deeds[/bold]", "-m", model_file, "-f", "table")
        assert "\x1b" not in done.out
        assert "[bold]deeds[/bold]" in done.out

    def test_an_unknown_format_is_wrong_usage(self, outsort):
        done = outsort("predict", "x", "-f", "xml")
        assert done.code == 2
        assert "table" in done.err

    @pytest.mark.slow
    def test_a_megabyte_on_one_line_is_answered(self, outsort, model_file):
        done = outsort("predict", "-m", model_file, "-f", "jsonl", stdin=b"key invoices " * 80_000)
        assert json.loads(done.out)["label"] == "BPO"


class TestExplain:
    def test_its_words_bias_and_spread_are_the_log_odds(self, outsort, model_file):
        found = json.loads(outsort("explain", "Key the contract", "-m", model_file, "-f", "jsonl").out)
        total = sum(word["log_odds"] for word in found["words"]) + found["bias"] + found["spread"]
        assert total == pytest.approx(found["log_odds"], abs=1e-6)
        assert [word["word"] for word in found["words"]] == ["Key", "the", "contract"]
        odds = found["probability"] / (1 - found["probability"])
        assert found["log_odds"] == pytest.approx(np.log(odds), abs=1e-4)

    def test_clauses_are_shown_with_what_each_counts_where_there_are_several(self, outsort, model, model_file):
        text = "Key the invoices. Equal opportunities for all.\n- Excel needed"
        shown = outsort("explain", text, "-m", model_file, "-f", "table").out
        shares = [f"{clause.share:.0%}" for clause in explain(model, text).clauses]
        lines = shown[shown.index("counts") :].splitlines()[2:5]
        assert [line.split()[-3] for line in lines] == shares
        alone = [max(clause.probabilities.items(), key=lambda item: item[1]) for clause in explain(model, text).clauses]
        assert [line.split()[-2:] for line in lines] == [[label, f"{p:.2f}"] for label, p in alone]
        assert "by its clauses" in shown
        assert [line.split()[0] for line in lines] == ["Key", "Equal", "-"]
        assert "clause" not in outsort("explain", "Key the invoices", "-m", model_file, "-f", "table").out

    def test_of_many_clauses_those_that_count_most_are_shown(self, outsort, model_file):
        shown = outsort("explain", "Key the invoices.\n" * 40, "-m", model_file, "-f", "table").out
        assert "clause (without 28 that count less)" in shown

    def test_csv_has_a_row_for_the_bias_and_for_each_word(self, outsort, model_file):
        rows = list(csv.DictReader(outsort("explain", "Key forms", "-m", model_file).out.splitlines()))
        assert [row["word"] for row in rows] == ["(bias)", "Key", "forms"]
        assert [row["start"] for row in rows] == ["", "0", "4"]

    def test_examples_come_from_the_data_named(self, outsort, model_file, csv_file):
        arguments = ["explain", "scanned invoices", "-m", model_file, "--data", csv_file, "--examples", "2"]
        result = outsort(*arguments, "-f", "json")
        (found,) = json.loads(result.out)
        assert found["precedents"][0]["text"] == "type scanned invoices"
        assert len(found["precedents"]) == 2
        assert "type scanned invoices" in outsort(*arguments, "-f", "table").out

    def test_data_the_model_was_not_trained_on_are_told(self, outsort, frame, model_file, csv_file, tmp_path):
        other = tmp_path / "other.csv"
        frame.iloc[1:].to_csv(other, index=False)
        arguments = ["explain", "key invoices", "-m", model_file, "--data"]
        assert "not the data the model was trained on" in outsort(*arguments, other).err
        said = "text column 'text', label column 'label', service-line column 'service_line', 15 rows"
        assert outsort(*arguments, csv_file).err == f"{csv_file}: {said}\n"

    def test_a_table_names_the_runners_up_and_what_spoke(self, outsort, model, model_file):
        shown = outsort("explain", "Key the contract", "-m", model_file, "-f", "table", "--lines", "2").out
        assert "Key the contract" in shown
        assert "log-odds of KPO" in shown
        assert sum(shown.count(line) for line in model.lines) == 2

    def test_the_reasons_shown_and_the_other_words_add_up_to_the_words(self, outsort, model, model_file):
        shown = outsort("explain", "Draft the contract, 500 a day", "-m", model_file, "-f", "table").out
        (total,) = re.findall(r"= words ([+-][\d.]+)", shown)
        of_terms = dict(re.findall(r"^ ([\w( )]+?) +(?:for|against) +([+-][\d.]+)", shown, re.MULTILINE))
        assert list(of_terms)[-1] == "(other words)"
        # Each is rounded, and so is the total.
        assert sum(map(float, of_terms.values())) == pytest.approx(float(total), abs=0.00501 * (len(of_terms) + 1))
        reasons = explain(model, "Draft the contract, 500 a day").reasons
        assert list(of_terms)[:-1] == list(reasons)
        assert not {"the", "500", "a", "day a"} & set(of_terms)

    def test_no_way_to_an_answer_gives_a_word_that_means_nothing(self, outsort, model_file, tmp_path):
        text = "Draft the contract for a client of the firm"
        (tmp_path / "in.csv").write_text(f"text\n{text}\n")
        (found,) = json.loads(outsort("predict", text, "-m", model_file, "-f", "json", "--terms", "50").out)
        shown = {item["term"]: item["log_odds"] for item in found["for"] + found["against"]}
        assert "contract" in shown
        outsort("score", tmp_path / "in.csv", "-m", model_file, "-o", tmp_path / "out.csv", "--explain")
        outsort("review", tmp_path / "in.csv", "-m", model_file, "-o", tmp_path / "queue.csv")
        (scored,) = csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines())
        (queued,) = csv.DictReader((tmp_path / "queue.csv").read_text(encoding="utf-8-sig").splitlines())
        because = re.findall(r"[^:,·]+(?=,|$| ·)", queued["because"])
        terms = [*shown, *scored["for"].split("; "), *scored["against"].split("; "), *because]
        assert set(" ".join(terms).split()) <= {"draft", "contract", "client", "firm"}
        assert all(abs(figure) >= 0.3 for figure in shown.values())

    def test_an_empty_text_is_its_bias(self, outsort, model_file):
        (found,) = json.loads(outsort("explain", "", "-m", model_file, "-f", "json").out)
        assert found["words"] == []
        assert found["reason"] == "empty"


class TestTrain:
    @pytest.mark.slow
    def test_it_prints_rows_scores_terms_size_and_time(self, outsort, csv_file, tmp_path):
        done = outsort("train", csv_file, "-o", tmp_path / "m.joblib", "--folds", 3)
        assert done.code == 0
        assert "15 rows used (6 BPO, 6 KPO, 3 NEITHER, 5 service lines)" in done.out
        for word in ("accuracy", "macro F1", "in-scope AUC", "log loss", "random folds", "unseen service lines"):
            assert word in done.out
        assert "terms, 0.0 MB, in" in done.out
        assert outsort("predict", "key forms", "-m", tmp_path / "m.joblib").code == 0

    def test_columns_may_have_any_name(self, outsort, frame, tmp_path):
        frame.columns = ["Was", "Art", "Sparte"]
        frame.to_csv(tmp_path / "d.csv", sep=";", index=False)
        options = ["--text-column", "Was", "--label-column", "Art", "--line-column", "Sparte", "--folds", 0]
        assert outsort("train", tmp_path / "d.csv", "-o", tmp_path / "m", *options).code == 0
        assert load_model(tmp_path / "m").has_lines

    def test_the_encoding_is_told_when_it_is_not_utf_8(self, outsort, frame, tmp_path):
        frame.to_csv(tmp_path / "d.csv", index=False, encoding="utf-16")
        done = outsort("train", tmp_path / "d.csv", "-o", tmp_path / "m", "--folds", 0)
        assert done.code == 0
        said = "text column 'text', label column 'label', service-line column 'service_line', 15 rows, read as utf-16"
        assert done.err == f"{tmp_path}/d.csv: {said}\n"

    def test_repeated_rows_are_told(self, outsort, csv_file, tmp_path):
        csv_file.write_text(csv_file.read_text() + "draft a contract,KPO,legal_services\n")
        done = outsort("train", csv_file, "-o", tmp_path / "m", "--folds", 0)
        assert "1 duplicate row dropped" in done.err

    def test_an_existing_output_stands_unless_forced(self, outsort, csv_file, tmp_path):
        (tmp_path / "m").write_text("old")
        done = outsort("train", csv_file, "-o", tmp_path / "m")
        assert (done.code, done.out) == (1, "")
        assert done.err == f"outsort: {tmp_path}/m: already exists. Pass --force to replace it.\n"
        assert (tmp_path / "m").read_text() == "old"
        assert outsort("train", csv_file, "-o", tmp_path / "m", "--folds", 0, "--force").code == 0

    @pytest.mark.parametrize(
        ("output", "message"),
        [("no/m", "does not exist. Create it first."), ("", "is a directory. Name a file in it.")],
    )
    def test_an_output_that_cannot_be_is_refused_before_training(self, outsort, csv_file, tmp_path, output, message):
        before = sorted(tmp_path.iterdir())
        done = outsort("train", csv_file, "-o", tmp_path / output)
        assert done.code == 1
        assert message in done.err
        assert sorted(tmp_path.iterdir()) == before

    def test_an_output_where_nothing_can_be_written_is_one_message(self, outsort, csv_file):
        # Nobody may make files there, the superuser included.
        done = outsort("train", csv_file, "-o", "/proc/m.joblib", "--folds", 0)
        assert done.code == 1
        _, said = done.err.splitlines()
        assert said.startswith("outsort: /proc/m.joblib: ")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "is empty"),
            ("text,label\n", "has a header but no rows"),
            ("a,b\n1,2\n", "no text column; it has 'a', 'b'. Name one with --text-column."),
            ("text,label\na,BPO\nb,UNCLEAR\n", "has only the label 'BPO'"),
            ("text,label\na,BPO\n,KPO\n", "row 3: the text is empty"),
            ("text,label\na,BPO\nA,KPO\n", "row 3: text 'a' has label 'KPO', but 'BPO' in row 2"),
            ("text,label,line\na,BPO,x\nb,KPO,x\n", "row 3: service line 'x' has label 'KPO'"),
            (
                "text,label\na,BPO\nb,BPO\n",
                "has only the label 'BPO'. Training needs at least 2 rows of each of 2 labels",
            ),
            ("text,label\na,BPO\nb,BPO\nc,KPO\n", "1 row labelled KPO. Training needs at least 2"),
        ],
    )
    def test_bad_data_are_one_message_and_write_nothing(self, outsort, tmp_path, content, message):
        (tmp_path / "d.csv").write_text(content)
        done = outsort("train", tmp_path / "d.csv", "-o", tmp_path / "m")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"outsort: {tmp_path}/d.csv")
        assert message in done.err
        assert not (tmp_path / "m").exists()

    @pytest.mark.parametrize(("name", "hint"), [("missing.csv", "Name a table"), (".", "or files by a pattern")])
    def test_no_such_file_or_a_directory(self, outsort, tmp_path, name, hint):
        done = outsort("train", tmp_path / name, "-o", tmp_path / "m")
        assert done.code == 1
        assert hint in done.err

    def test_a_format_that_cannot_be_read_is_named_with_those_that_can(self, outsort, tmp_path):
        (tmp_path / "d.odt").write_bytes(b"PK")
        done = outsort("train", tmp_path / "d.odt", "-o", tmp_path / "m")
        assert done.code == 1
        assert "d.odt: the format 'odt' is not supported. Known are csv" in done.err

    def test_an_unreadable_file(self, outsort, tmp_path):
        (tmp_path / "memory.csv").symlink_to("/proc/self/mem")
        done = outsort("train", tmp_path / "memory.csv", "-o", tmp_path / "m")
        assert done.code == 1
        assert "memory.csv: cannot be read" in done.err

    @pytest.mark.parametrize("option", ["--target-precision=0.9", "--group-column=dept", "--time-column=day"])
    def test_what_needs_folds_is_refused_without_them(self, outsort, csv_file, tmp_path, option):
        done = outsort("train", csv_file, "-o", tmp_path / "m.joblib", "--folds", "0", option)
        assert done.code == 2
        assert "needs cross-validation" in done.err
        assert not (tmp_path / "m.joblib").exists()

    def test_weight_on_one_label_alone_is_no_crash(self, outsort, frame, tmp_path):
        path = tmp_path / "spend.csv"
        frame.assign(spend=(frame["label"] == "BPO").astype(int)).to_csv(path, index=False)
        done = outsort("train", path, "-o", tmp_path / "m.joblib", "--weight-column", "spend")
        assert done.code == 0
        assert "gap between" in done.out
        assert "AUC" not in done.out

    def test_json_is_all_it_prints_and_holds_what_the_model_says_of_itself(self, outsort, csv_file, tmp_path):
        done = outsort("train", csv_file, "-o", tmp_path / "m", "--folds", 3, "--json")
        result, model = json.loads(done.out), load_model(tmp_path / "m")
        assert result["output"] == str(tmp_path / "m")
        assert result["bytes"] == (tmp_path / "m").stat().st_size
        assert (result["model"], result["terms"]) == (model.fingerprint, len(model.terms))
        for name in ("data", "settings", "scores", "decision", "versions"):
            assert result[name] == model.about[name]

    def test_json_comes_before_the_exit_code_of_a_promise_not_met(self, outsort, csv_file, tmp_path):
        options = ["--folds", 3, "--target-precision", 0.99, "--json"]
        done = outsort("train", csv_file, "-o", tmp_path / "m", *options)
        assert done.code == 3
        assert json.loads(done.out)["decision"]["threshold"] is None

    def test_one_fold_is_wrong_usage(self, outsort, csv_file, tmp_path):
        assert outsort("train", csv_file, "-o", tmp_path / "m", "--folds", 1).code == 2


class TestEvaluate:
    def test_it_prints_every_score_and_the_worst_mistakes(self, outsort, csv_file, model_file):
        csv_file.write_text(csv_file.read_text() + "key scanned invoices into sap,KPO,legal_services\n")
        done = outsort("evaluate", csv_file, "-m", model_file, "--by", "service_line")
        assert done.code == 0
        for word in (
            *("accuracy", "macro F1", "log loss", "Brier", "ECE"),
            *("in scope", "in-scope AUC", "out-of-scope AUC", "predicted NEITHER"),
            *("precision", "recall", "predicted KPO", "worst mistakes", "key scanned invoices", "translation"),
        ):
            assert word in done.out
        assert "UNCLEAR" not in done.out
        csv_file.write_text(csv_file.read_text() + "urgent help,UNCLEAR,none\n")
        done = outsort("evaluate", csv_file, "-m", model_file)
        told = "1 row labelled UNCLEAR counts in the out-of-scope AUC, and as a mistake if it is accepted"
        assert f"{told}; in no other score." in " ".join(done.out.split())

    def test_many_labels_have_their_largest_errors_beside_them(self, outsort, tmp_path):
        # The data, each label of which has two of its six rows under the next one.
        rows = [(f"word{i}x {j}", f"Team {(i + (j < 2)) % 8}") for i in range(8) for j in range(6)]
        right = [(text, f"Team {text[4]}") for text, _ in rows]
        for name, of in (("train", right), ("test", rows)):
            pd.DataFrame(of, columns=["text", "label"]).to_csv(tmp_path / f"{name}.csv", index=False)
        outsort("train", tmp_path / "train.csv", "-o", tmp_path / "m", "--folds", 0)
        done = outsort("evaluate", tmp_path / "test.csv", "-m", tmp_path / "m", "--mistakes", 0)
        assert done.code == 0
        assert "predicted Team" not in done.out
        lines = [line.split() for line in done.out.splitlines() if line.strip().startswith("actual")]
        assert [line[-3:] for line in lines] == [["Team", str((i - 1) % 8), "2"] for i in range(8)]

    def test_json_holds_the_same(self, outsort, csv_file, model_file):
        done = outsort("evaluate", csv_file, "-m", model_file, "--by", "label", "--json")
        result = json.loads(done.out)
        assert (result["n"], result["in_scope"]["confusion"]) == (15, [[6, 0], [0, 6]])
        assert set(result) >= {"accuracy", "per_class", "confusion", "mistakes", "out_of_scope_auc", "by"}
        assert set(result["by"]["label"]) == {"BPO", "KPO", "NEITHER"}

    def test_rows_that_say_too_little_may_be_measured(self, outsort, csv_file, model_file):
        csv_file.write_text(csv_file.read_text() + "urgent help,UNCLEAR,none\n")
        assert json.loads(outsort("evaluate", csv_file, "-m", model_file, "--json").out)["n_left_out"] == 1

    def test_an_unknown_column_is_named(self, outsort, csv_file, model_file):
        done = outsort("evaluate", csv_file, "-m", model_file, "--by", "dept")
        assert done.code == 1
        assert "no column 'dept'; it has 'text', 'label', 'service_line'" in done.err

    def test_several_columns_and_weights(self, outsort, frame, model_file, tmp_path):
        path = tmp_path / "spend.csv"
        frame.assign(spend=range(15)).to_csv(path, index=False)
        arguments = ["--by", "label", "--by", "service_line", "--weight-column", "spend", "--json"]
        result = json.loads(outsort("evaluate", path, "-m", model_file, *arguments).out)
        assert set(result["by"]) == {"label", "service_line"}
        assert sum(map(sum, result["confusion"])) == sum(range(15))

    @pytest.mark.parametrize(
        ("weights", "message"),
        [([-1] * 15, "weight '-1' is not a number of 0 or above"), ([0] * 15, "'spend' are all 0")],
    )
    def test_weights_that_cannot_be(self, outsort, frame, model_file, tmp_path, weights, message):
        path = tmp_path / "spend.csv"
        frame.assign(spend=weights).to_csv(path, index=False)
        done = outsort("evaluate", path, "-m", model_file, "--weight-column", "spend")
        assert (done.code, done.out) == (1, "")
        assert message in done.err

    def test_data_the_model_was_trained_on_are_said_loudly(self, outsort, csv_file, model_file):
        done = outsort("evaluate", csv_file, "-m", model_file)
        assert "WARNING: the model was trained on 100% of these texts" in done.err
        csv_file.write_text("text,label\npay suppliers,BPO\nadvise the board,KPO\n")
        said = f"{csv_file}: text column 'text', label column 'label', 2 rows\n"
        assert outsort("evaluate", csv_file, "-m", model_file).err == said


class TestCompare:
    @pytest.fixture
    def files(self, frame, model, tmp_path):
        """A model, one trained on the labels exchanged, and data of neither."""
        contrary = package.train(
            frame[["text", "label"]].replace({"BPO": "KPO", "KPO": "BPO"}), checks=package.Checks(folds=0)
        )
        paths = [tmp_path / name for name in ("old.joblib", "new.joblib", "held-out.csv")]
        save_model(model, paths[0])
        save_model(contrary, paths[1])
        frame.assign(text=frame["text"] + " now").to_csv(paths[2], index=False)
        return paths

    def test_a_worse_model_does_not_pass_the_gate(self, outsort, files):
        old, new, data = files
        done = outsort("compare", old, new, data, "--gate", "no-worse")
        assert done.code == 3
        assert "The new model is worse" in done.out
        read = "text column 'text', label column 'label', service-line column 'service_line', 15 rows"
        assert done.err == f"{data}: {read}\noutsort: {new} is worse than {old}\n"
        assert outsort("compare", old, new, data).code == 0
        back = outsort("compare", new, old, data, "--gate", "no-worse")
        assert (back.code, back.err) == (0, f"{data}: {read}\n")

    def test_json_holds_the_same(self, outsort, files):
        result = json.loads(outsort("compare", *files, "--json").out)
        assert result["worse"] is True
        assert result["difference"] == result["new"]["accuracy"] - result["old"]["accuracy"]
        assert set(result["flips"][0]) == {"row", "text", "label", "old", "new", "weight"}

    def test_what_moves_is_a_matrix_of_rows_and_of_money_and_needs_no_labels(self, outsort, files):
        old, new, data = files
        frame = pd.read_csv(data).assign(spend=[f"{1000 * i:,}" for i in range(15)])
        frame[["text", "spend"]].to_csv(data, index=False)
        shown = outsort("compare", old, new, data, "--weight-column", "spend", "--flips", 1)
        assert (shown.code, shown.err) == (0, f"{data}: text column 'text', 15 rows\n")
        result = json.loads(outsort("compare", old, new, data, "--weight-column", "spend", "--json").out)
        labels = [p.label for p in package.predict(frame["text"], load_model(old))]
        assert sum(result["rows"][0]) == labels.count("BPO")
        assert np.sum(result["weight"]) == 105_000
        first, *tables = shown.out.splitlines()
        blocks = [
            list(block) for is_blank, block in itertools.groupby(tables, lambda line: not line.strip()) if not is_blank
        ]
        rows, weight, flips = blocks
        assert first.startswith(f"{result['flipped']} of 15 predictions changed (")
        assert rows[0].split() == ["rows", "new", "BPO", "new", "KPO", "new", "NEITHER", "all"]
        assert rows[2].split() == ["old", "BPO", *map(str, result["rows"][0]), str(labels.count("BPO"))]
        assert weight[-1].split()[-1] == "105,000"
        assert flips[0].split() == ["row", "weight", "changed", "predictions", "old", "new"]

    def test_the_gate_needs_labels(self, outsort, files):
        old, new, data = files
        pd.read_csv(data)[["text"]].to_csv(data, index=False)
        done = outsort("compare", old, new, data, "--gate", "no-worse")
        assert (done.code, "no column 'label'" in done.err) == (1, True)

    def test_models_of_different_labels_are_one_message(self, outsort, files, two_class_model):
        old, new, data = files
        save_model(two_class_model, new, force=True)
        done = outsort("compare", old, new, data)
        assert (done.code, done.out) == (1, "")
        assert done.err == (
            "outsort: The old model's labels are BPO, KPO, NEITHER, the new one's BPO, KPO: they answer different "
            "questions. Evaluate each on data with its own labels.\n"
        )

    def test_data_a_model_was_trained_on_are_said_loudly(self, outsort, files, csv_file):
        old, new, _ = files
        done = outsort("compare", old, new, csv_file)
        assert f"WARNING: {old} was trained on 100% of these texts" in done.err
        assert f"WARNING: {new} was trained on 100% of these texts" in done.err


@pytest.mark.slow
class TestReport:
    """The page that `train` and `evaluate` write beside what they print."""

    def test_evaluate_shows_the_figures_it_prints(self, outsort, csv_file, model_file, tmp_path):
        page = tmp_path / "r.html"
        done = outsort("evaluate", csv_file, "-m", model_file, "--json", "--report", page)
        assert f"{page}: report written\n" in done.err
        result = json.loads(done.out)
        html = page.read_text(encoding="utf-8")
        for path in ("accuracy", "log_loss", "brier"):
            assert f'data-figure="{path}" value="{result[path]}"' in html
        assert f'data-figure="decision/coverage" value="{result["decision"]["coverage"]}"' in html

    def test_train_shows_the_figures_in_the_model(self, outsort, csv_file, tmp_path):
        page, path = tmp_path / "r.html", tmp_path / "m.joblib"
        done = outsort("train", csv_file, "-o", path, "--folds", 3, "--report", page)
        assert f"{page}: report written\n" in done.err
        about = load_model(path).about
        scores = about["scores"][about["decision"]["held_out"]]
        assert f'data-figure="brier" value="{scores["brier"]}"' in page.read_text(encoding="utf-8")

    def test_weights_count_in_it(self, outsort, frame, tmp_path):
        frame.assign(spend=range(1, 16)).to_csv(tmp_path / "d.csv", index=False)
        options = ["--folds", 3, "--weight-column", "spend", "--report", tmp_path / "r.html"]
        assert outsort("train", tmp_path / "d.csv", "-o", tmp_path / "m", *options).code == 0
        about = load_model(tmp_path / "m").about
        scores = about["scores"][about["decision"]["held_out"]]
        html = (tmp_path / "r.html").read_text(encoding="utf-8")
        assert f'data-figure="accuracy" value="{scores["accuracy"]}"' in html
        assert "15 rows, weighted" in html

    @pytest.mark.parametrize("command", ["train", "evaluate"])
    def test_an_existing_page_is_kept_unless_forced(self, outsort, csv_file, model_file, tmp_path, command):
        page = tmp_path / "r.html"
        page.write_text("old")
        options = ["-o", tmp_path / "new", "--folds", 3] if command == "train" else ["-m", model_file]
        done = outsort(command, csv_file, *options, "--report", page)
        assert (done.code, done.out) == (1, "")
        assert done.err == f"outsort: {page}: already exists. Pass --force to replace it.\n"
        assert page.read_text() == "old"
        assert not (tmp_path / "new").exists()
        assert outsort(command, csv_file, *options, "--report", page, "--force").code == 0
        assert page.read_text().startswith("<!doctype html>")

    @pytest.mark.parametrize("command", ["train", "evaluate"])
    def test_without_its_libraries_it_does_not_start(
        self, outsort, csv_file, model_file, tmp_path, monkeypatch, command
    ):
        monkeypatch.setitem(sys.modules, "jinja2", None)
        options = ["-o", tmp_path / "new"] if command == "train" else ["-m", model_file]
        done = outsort(command, csv_file, *options, "--report", tmp_path / "r.html")
        assert (done.code, done.out) == (1, "")
        assert done.err.endswith("a report needs jinja2; run pip install 'outsort[report]'.\n")
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize(
        ("options", "message"),
        [(["--folds", 0], "needs cross-validation"), (["--folds", 3, "-o", "r.html"], "is the model file")],
    )
    def test_what_cannot_be_is_wrong_usage(self, outsort, csv_file, tmp_path, monkeypatch, options, message):
        monkeypatch.chdir(tmp_path)
        done = outsort("train", csv_file, "-o", "m.joblib", "--report", "r.html", *options)
        assert done.code == 2
        assert message in done.err
        assert list(tmp_path.iterdir()) == [csv_file]

    def test_a_promise_not_met_leaves_the_page_that_says_why(self, outsort, csv_file, tmp_path):
        options = ["--folds", 3, "--target-precision", 0.99, "--report", tmp_path / "r.html"]
        assert outsort("train", csv_file, "-o", tmp_path / "m", *options).code == 3
        assert "No threshold is certified" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_card_prints_the_card_of_the_model(outsort, model_file, model):
    done = outsort("card", "-m", model_file)
    assert (done.code, done.err) == (0, "")
    assert done.out == card(model)


class Command:
    def __reduce__(self):
        return os.mkdir, ("ran",)


class TestModelFile:
    """What `predict` and `evaluate` say to a model file they cannot use."""

    @pytest.fixture(params=["missing", "folder", "empty", "damaged", "newer", "code", "pickle", "text"])
    def bad(self, request, tmp_path, model_file):
        content = joblib.load(model_file)
        path = tmp_path / "bad.joblib"
        match request.param:
            case "folder":
                path.mkdir()
            case "empty":
                path.touch()
            case "damaged":
                path.write_bytes(model_file.read_bytes()[:-100])
            case "newer":
                joblib.dump(content | {"format_version": FORMAT_VERSION + 1}, path)
            case "code":
                joblib.dump(content | {"about": Command()}, path)
            case "pickle":
                path.write_bytes(pickle.dumps(Command()))
            case "text":
                path.write_text("text,label\n")
        reasons = {
            "missing": "no such file",
            "folder": "is a directory",
            "newer": f"version is {FORMAT_VERSION + 1} and this outsort reads up to {FORMAT_VERSION}. Upgrade outsort",
            "code": "it contains code or objects (posix.mkdir)",
            "pickle": "it contains code or objects (posix.mkdir)",
        }
        return path, reasons.get(request.param, "it is damaged, or not a model file")

    def test_it_is_refused_with_the_reason_and_runs_nothing(self, outsort, bad, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        path, reason = bad
        done = outsort("predict", "x", "-m", path)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"outsort: {path}: ")
        assert reason in done.err
        assert "Traceback" not in done.err
        assert not (tmp_path / "ran").exists()


def test_the_version_is_the_packages(outsort):
    assert outsort("--version").out == f"outsort {package.__version__}\n"


@pytest.mark.parametrize("command", [[], ["predict"], ["train"], ["evaluate"], ["card"]])
def test_every_command_has_help(outsort, command):
    done = outsort(*command, "--help")
    assert done.code == 0
    assert "Usage: " in done.out


def test_an_unknown_option_is_wrong_usage(outsort):
    assert outsort("predict", "--nonsense").code == 2


@pytest.mark.slow
def test_a_signal_waits_until_llvm_has_loaded_its_code():
    called_back = []

    def load():
        signal.raise_signal(signal.SIGTERM)
        time.sleep(0.05)
        called_back.append(True)

    of_llvm = {"__name__": "llvmlite.binding.executionengine", "load": load}
    exec("def call_back(): load()", of_llvm)

    def run():
        of_llvm["call_back"]()
        time.sleep(5)

    before = signal.signal(signal.SIGTERM, _stopped)
    try:
        with pytest.raises(SystemExit) as stopped:
            run()
        assert (called_back, stopped.value.code) == ([True], 143)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_finaliser_ends_the_program_all_the_same(number):
    # An exception raised there is shown and forgotten.
    script = f"""
import signal, sys, time
from outsort.cli import main

class Finalised:
    def __del__(self):
        signal.raise_signal({int(number)})

def run(arguments):
    Finalised()
    time.sleep(60)

main._run = run
main.main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (128 + number, b"")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_as_python_ends_is_no_traceback(number):
    # As it waits for threads at its end, where joblib once was when a signal came.
    script = f"""
import os, sys, threading
from outsort.cli.main import main
threading._register_atexit(os.kill, os.getpid(), {int(number)})
sys.argv = ["outsort", "--version"]
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-number, b"")
    assert done.stdout.startswith(b"outsort ")


class TestQuiet:
    def test_notes_are_silenced_and_what_is_asked_for_is_not(self, outsort, csv_file, model_file, tmp_path):
        run = ("score", csv_file, "-m", model_file, "-o", tmp_path / "out.csv", "--force")
        assert "15 rows" in outsort(*run).err
        assert outsort(*run, "--quiet").err == ""
        # Asked for, it comes all the same; and no command before this one makes it quiet.
        assert "95% interval" in outsort(*run, "-q", "--by", "label").err
        assert "15 rows" in outsort(*run).err

    def test_warnings_about_the_data_and_errors_are_not_silenced(self, outsort, csv_file, model_file, tmp_path):
        assert "WARNING" in outsort("evaluate", csv_file, "-m", model_file, "-q").err
        assert "no.csv" in outsort("evaluate", tmp_path / "no.csv", "-m", model_file, "-q").err

    def test_every_command_has_it(self, outsort):
        assert [name for name in get_command(app).commands if "--quiet" not in outsort(name, "--help").out] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", "--terms", "x", "a"), "'--terms': must be a whole number"),
        (("predict", "--terms", "-1", "a"), "'--terms': must be 0 or more"),
        (("predict", "--format", "x", "a"), "'--format' / '-f': 'x' is not one of 'table', 'csv', 'json', 'jsonl'."),
        (("certify", "m.joblib", "--level", "x"), "'--level': must be a number"),
    ],
)
def test_values_that_are_not_valid_are_refused_in_plain_words(outsort, arguments, said):
    run = outsort(*arguments)
    assert (run.code, run.out) == (2, "")
    assert f"Invalid value for {said}" in run.err
