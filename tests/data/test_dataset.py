import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outsort.data.dataset import read, read_table
from outsort.data.identity import hashes_of, same_text
from outsort.data.values import groups_of, times_of, weights_of
from outsort.errors import DataError

GOOD = "text,label\nkey forms,BPO\nkey cards,BPO\ndraft deeds,KPO\ndraft wills,KPO\n"


@pytest.fixture
def written(tmp_path):
    """Write a CSV file and return its path."""

    def write(content, encoding="utf-8"):
        path = tmp_path / "t.csv"
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        return path

    return write


def refusal(path, **options):
    with pytest.raises(DataError) as error:
        read(path, **options)
    return str(error.value)


def test_rows_come_out_as_they_stand(written):
    data = read(written(GOOD))
    assert data.texts == ["key forms", "key cards", "draft deeds", "draft wills"]
    assert data.labels == ["BPO", "BPO", "KPO", "KPO"]
    assert data.lines is None


@pytest.mark.filterwarnings("ignore:.*read as cp1252")
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_dialect_of_spreadsheets_is_read_right(written, delimiter, encoding, line_end):
    buffer = io.StringIO()
    rows = [("Übersetzung,\nzwei Zeilen; 5 €", "BPO"), ('say "yes"|no\t.', "BPO"), ("a", "KPO"), ("b", "KPO")]
    csv.writer(buffer, delimiter=delimiter, lineterminator=line_end).writerows([("text", "label"), *rows])
    data = read(written(buffer.getvalue(), encoding))
    assert list(zip(data.texts, data.labels, strict=True)) == rows


def test_labels_are_taken_whatever_their_case_and_space(written):
    assert read(written(GOOD.replace("BPO", " bpo "))).labels[:2] == ["BPO", "BPO"]


ODD = "text,label\na,Billing\nb,billing\nc,Billing\nd,Straße\ne,STRASSE\nf,Straße\n"


def test_labels_that_differ_only_in_case_are_one_and_it_is_told(written):
    data = read(written(ODD))
    assert data.labels == ["Billing", "Billing", "Billing", "Straße", "Straße", "Straße"]
    assert data.merged == {"billing": "Billing", "STRASSE": "Straße"}
    assert read(written(GOOD)).merged == {}


def test_the_most_frequent_spelling_wins_but_for_those_that_are_known(written):
    assert set(read(written(ODD.replace("a,Billing", "a,billing"))).labels[:3]) == {"billing"}
    path = written(ODD)
    data = read(path, known_labels=["BILLING", "strasse"], for_training=False)
    assert data.labels == ["BILLING"] * 3 + ["strasse"] * 3
    assert set(data.merged.values()) == {"BILLING", "strasse"}


def test_numbers_are_labels_like_any_others(written):
    expected = ["1", "1", "2", "2"]
    assert read(written(GOOD.replace("BPO", "1").replace("KPO", "2"))).labels == expected
    assert read(pd.DataFrame({"text": list("abcd"), "label": [1, 1, 2, 2]})).labels == expected


def test_what_says_too_little_is_set_apart_for_training(written):
    clear = read(written(GOOD))
    data = read(written(GOOD + "lot 3,unclear\nLot  3,UNCLEAR\nas agreed,UNCLEAR\n"))
    assert (data.texts, data.labels, list(data.frame.index)) == (clear.texts, clear.labels, list(clear.frame.index))
    assert (list(data.unclear), data.n_repeats) == (["lot 3", "as agreed"], 1)
    assert data.fingerprint != clear.fingerprint
    # Such a row has no service line, which others must have.
    with_lines = "text,label,line\na,BPO,x\nb,BPO,x\nc,KPO,y\nd,KPO,y\ne,UNCLEAR,\nf,UNCLEAR,x\n"
    assert list(read(written(with_lines)).unclear) == ["e", "f"]
    assert "row 8: the service line is empty" in refusal(written(with_lines + "g,KPO,\n")).replace(", row", ": row")


def test_labels_that_a_model_does_not_know_are_named_when_it_is_measured(written):
    message = refusal(written(GOOD + "x,XPO\ny,UNCLEAR\n"), known_labels=["BPO", "KPO"], for_training=False)
    assert message.endswith(
        "t.csv, row 6: label 'XPO' is not one of BPO, KPO. Fix it and try again. If they are your own words: "
        '--label-map "XPO=LABEL", with BPO or KPO for each LABEL.'
    )


@pytest.mark.parametrize(
    ("labels", "wanted", "expected"),
    [
        ("BPO,NEITHER", None, "NEITHER"),
        ("Billing,none of these", None, "none of these"),
        ("Billing,Other", None, ""),
        ("none,neither", None, ""),
        ("Billing,Other", "other", "Other"),
        ("BPO,NEITHER", "", ""),
        ("none,neither", "none", "none"),
    ],
)
def test_the_label_out_of_scope_is_found_or_named(labels, wanted, expected):
    frame = pd.DataFrame({"text": list("abcd"), "label": labels.split(",") * 2})
    assert read(frame, out_of_scope=wanted).out_of_scope == expected


def test_a_label_out_of_scope_that_no_row_has_is_refused(written):
    assert "no row is labelled 'Other', the label for what is out of scope." in refusal(
        written(GOOD), out_of_scope="Other"
    )


def test_a_text_of_more_than_the_csv_modules_limit_is_read(written):
    assert len(read(written(GOOD + "x" * 500_000 + ",BPO\n")).texts[-1]) == 500_000


def test_repeated_rows_are_left_out_and_counted(written):
    data = read(written(GOOD + "Key  Forms,BPO\nkey forms,BPO\n"))
    assert len(data.texts) == 4
    assert data.n_repeats == 2


def test_for_measuring_every_row_stays(written):
    data = read(written(GOOD + "key forms,KPO\nurgent help,UNCLEAR\n"), for_training=False)
    assert len(data.texts) == len(data.frame) == 6


def test_usual_names_are_found_whatever_their_case(written):
    data = read(written(GOOD.replace("text,label", "Task Description,Class")))
    assert data.texts[0] == "key forms"


def test_a_frame_with_missing_cells_is_refused_like_a_file_with_blank_ones(frame):
    frame.loc[3, "text"] = None
    with pytest.raises(DataError, match="the frame, row 3: the text is empty"):
        read(frame)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "t.csv: is empty. It needs a header and rows."),
        (" \n \n", "t.csv: is empty."),
        ("text,label\n", "t.csv: has a header but no rows. Add the rows to learn from."),
        (
            "Spalte,label\nx,BPO\n",
            "t.csv: no clear text column; there are words in 'Spalte'; it has 'Spalte', 'label'. Name one with "
            "--text-column.",
        ),
        ("text,Art\nx,BPO\n", "t.csv: no column 'label'; it has 'text', 'Art'. Name one with --label-column."),
        ("text,text,label\nx,y,BPO\n", "t.csv: 2 columns 'text'. Name one with --text-column by number: 1 or 2."),
        (GOOD + "x,\n", "row 6: the label is empty; write one, or UNCLEAR where the text says too little. Fix it and"),
        (GOOD + "x, \n", "t.csv, row 6: the label is empty; write one"),
        (GOOD + "key forms,UNCLEAR\n", "t.csv, row 6: text 'key forms' has label 'UNCLEAR', but 'BPO' in row 2."),
        (GOOD + " ,UNCLEAR\n", "t.csv, row 6: the text is empty."),
        (GOOD + '" ",BPO\n', "t.csv, row 6: the text is empty."),
        (GOOD + "KEY forms,KPO\n", "t.csv, row 6: text 'key forms' has label 'KPO', but 'BPO' in row 2."),
        (GOOD + "x,BPO,y\n", 't.csv, row 6 has 3 cells where the header has 2: ["y"].'),
        (GOOD + '"x,BPO\n', "t.csv, row 6 cannot be read as CSV"),
        ("text,label\na,BPO\nb,BPO\n", "t.csv: has only the label 'BPO'. Training needs at least 2 rows of each of 2"),
        ("text,label\na,BPO\nb,BPO\nc,KPO\n", "t.csv: 1 row labelled KPO. Training needs at least 2 rows"),
        (b"PK\x03\x04rest", "t.csv: is a damaged archive or workbook."),
        (b"text,label\nx\x81\xff,BPO\n", "t.csv: is not valid UTF-8, and what else it is cannot be told"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place_and_the_way_out(written, content, message):
    assert message in refusal(written(content))


def test_a_line_under_two_labels_names_both_rows(written):
    rows = "text,label,service_line\na,BPO,keying\nb,BPO,keying\nc,KPO,law\nd,KPO,keying\n"
    message = "row 5: service line 'keying' has label 'KPO', but 'BPO' in row 2"
    assert message in refusal(written(rows))


def test_a_row_without_its_line_is_named(written):
    rows = "text,label,line\na,BPO,keying\nb,BPO,keying\nc,KPO,law\nd,KPO,\n"
    assert "row 5: the service line is empty" in refusal(written(rows))


def test_of_many_problems_ten_are_shown_and_the_rest_counted(written):
    message = refusal(written(GOOD + "".join(f"x{i},\n" for i in range(13))))
    assert "13 problems to fix first:" in message
    assert message.count("\n  row ") == 10
    assert "row 15: the label is empty" in message
    assert message.endswith("\n  and 3 more")


def test_a_missing_file_and_a_directory_say_what_to_name(tmp_path):
    assert "no such file. Name a table with a text column" in refusal(tmp_path / "no.csv")
    assert "is a directory. Name a table" in refusal(tmp_path)


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    # A process may open its own memory, but not read it from the start: true for the superuser too.
    memory = tmp_path / "memory.csv"
    memory.symlink_to("/proc/self/mem")
    assert "cannot be read (Input/output error)" in refusal(memory)


def test_the_fingerprint_is_of_the_content_not_of_the_file(written):
    comma = read(written(GOOD)).fingerprint
    assert read(written(GOOD.replace(",", ";"), "utf-16")).fingerprint == comma
    assert read(written(GOOD.replace("wills", "will"))).fingerprint != comma


def test_row_numbers_are_those_of_a_spreadsheet(written):
    table = read_table(written('text,label\n"two\nlines",BPO\n\nb,KPO\n'))
    assert list(table.frame.index) == [2, 4]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), min_size=1)


@given(texts=st.lists(cells.filter(str.strip), min_size=4, max_size=8, unique_by=same_text))
def test_any_text_survives_a_csv_file(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("any") / "t.csv"
    labels = (["BPO", "KPO"] * len(texts))[: len(texts)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    assert read(path).texts == texts


def with_column(values):
    n = len(values)
    frame = pd.DataFrame({"text": [f"text {i}" for i in range(n)], "label": ["BPO", "KPO"] * (n // 2)})
    return read(frame.assign(x=values), for_training=False)


def test_weights_are_numbers_of_zero_or_above():
    assert weights_of(with_column(["1", " 2.5 ", 0, 1e3]), "x").tolist() == [1, 2.5, 0, 1000]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["1", "-2"], "row 1: weight '-2' is not a number of 0 or above"),
        (["1", ""], "row 1: weight '' is not a number"),
        (["1", None], "row 1: weight '' is not a number"),
        (["one", "inf"], "(?s)2 problems.*row 0: weight 'one'.*row 1: weight 'inf'"),
        (["0", "0"], "the weights in column 'x' are all 0"),
    ],
)
def test_weights_that_cannot_count_are_named(values, message):
    with pytest.raises(DataError, match=message):
        weights_of(with_column(values), "x")


@pytest.mark.parametrize(
    "values",
    [
        ["2026-04-30", "2026-05-01"],
        ["30/04/2026", "01/05/2026"],
        ["04/30/2026", "05/01/2026"],
        ["30.04.2026", "01.05.2026"],
        ["30 Apr 2026", "1 May 2026"],
        ["2026-04-30T00:00:00Z", "2026-05-01T02:00:00+02:00"],
    ],
)
def test_dates_are_read_as_they_are_usually_written(values):
    assert times_of(with_column(values), "x").astype("datetime64[D]").astype(str).tolist() == [
        "2026-04-30",
        "2026-05-01",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["2026-04-30", "soon"], "row 1: 'soon' in 'x' is not a date such as 2026-04-30"),
        (["2026-04-30", ""], "row 1: '' in 'x' is not a date"),
        (["03/04/2026", "05/06/2026"], "can be read with the day first and with the month first"),
    ],
)
def test_columns_that_are_no_dates_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        times_of(with_column(values), "x")


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (["2026-04-30", "2026-05-01"], ["2026-04", "2026-05"]),
        (["30.04.2026", ""], ["2026-04", ""]),
        (["03/04/2026", "05/06/2026"], ["03/04/2026", "05/06/2026"]),
        (["2026-04-30", "soon"], ["2026-04-30", "soon"]),
        (["2024", "2025"], ["2024", "2025"]),
        (["", ""], ["", ""]),
    ],
)
def test_dates_are_grouped_by_month_and_other_cells_as_they_are(values, groups):
    assert groups_of(with_column(values), "x").tolist() == groups


def test_case_and_blanks_of_a_column_s_name_do_not_count():
    data = with_column(["1", "2"])
    assert groups_of(data, " X ").tolist() == ["1", "2"]
    assert weights_of(data, "X").tolist() == [1, 2]


def test_hashes_are_those_of_the_words_whatever_their_case_and_spacing():
    hashes = hashes_of(["Key  invoices", "draft a contract", " key INVOICES "])
    assert hashes.dtype == np.uint32
    assert hashes[0] == hashes[2] != hashes[1]
    assert hashes_of([]).shape == (0,)


@pytest.mark.filterwarnings("ignore::outsort.errors.DataWarning")
@pytest.mark.parametrize("scored", [False, True])
def test_totals_are_left_out_and_told(tmp_path, scored):
    frame = pd.DataFrame(
        [["A", "Key invoices", "5", "BPO"], ["B", "Draft leases", "7", "KPO"], ["Total", "", "12", ""]],
        columns=["supplier", "description", "spend", "label"],
    )
    if scored:
        frame = frame.assign(label="BPO", decision="accept", model="m", reason=["", "", "not a row of work (a total)"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = read(tmp_path / "t.csv", for_training=False, needs_labels=False)
    assert found.texts == ["Key invoices", "Draft leases"]
    assert "1 row is no work, such as a total, and left out" in found.reading


@pytest.mark.filterwarnings("ignore::outsort.errors.DataWarning")
def test_a_count_after_total_is_left_out_and_work_after_total_is_kept(tmp_path):
    rows = ["Key invoices,BPO,1", "Total: reward surveys,KPO,2", "Total: 2 rows,,"]
    (tmp_path / "t.csv").write_text("\n".join(["description,label,n", *rows]) + "\n", encoding="utf-8")
    found = read(tmp_path / "t.csv", for_training=False)
    assert found.texts == ["Key invoices", "Total: reward surveys"]
    assert "1 row is no work, such as a total, and left out" in found.reading
