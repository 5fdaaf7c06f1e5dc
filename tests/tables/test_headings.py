import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outsort.tables.headings import Kind, reading_of, words_of
from outsort.tables.prose import prose_of, says_nothing


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("text", Kind.TEXT), ("Short text", Kind.SUMMARY), ("Long description", Kind.DESCRIPTION),
        ("Kurzbeschreibung", Kind.SUMMARY), ("Main duties and responsibilities", Kind.STATEMENT),
        ("Subject-matter of the contract", Kind.SUMMARY), ("Title/Description", Kind.DESCRIPTION),
        ("Nature of work", Kind.SUMMARY), ("Nature", Kind.WEAK), ("Name", Kind.WEAK), ("Project name", Kind.NAME),
        ("Service", Kind.WEAK), ("Services required", Kind.SUMMARY), ("NAICS title", Kind.WEAK),
        ("Awarding body", Kind.OTHER), ("Message body", Kind.STATEMENT), ("Customer message", Kind.SUMMARY),
        ("Customer name", Kind.OTHER), ("preferredLabel", Kind.TITLE), ("label", Kind.UNKNOWN), ("", Kind.UNKNOWN),
        ("about_the_role", Kind.DESCRIPTION), ("About this gig", Kind.DESCRIPTION), ("About the company", Kind.OTHER),
        ("About us", Kind.OTHER),
        ("What we buy", Kind.SUMMARY), ("What you will be doing", Kind.SUMMARY),
        ("What we offer", Kind.UNKNOWN), ("Services to be provided", Kind.SUMMARY), ("Work to be done", Kind.SUMMARY),
        ("High-level summary of requirement", Kind.SUMMARY), ("Case Comments", Kind.SUMMARY), ("Level", Kind.OTHER),
        ("AdditionalDescription1", Kind.DESCRIPTION), ("Additional name", Kind.WEAK), ("Process step", Kind.SUMMARY),
        ("Step", Kind.WEAK), ("Explanatory note", Kind.STATEMENT), ("Notes", Kind.REMARK),
        ("Action taken", Kind.UNKNOWN),
        ("Aufgaben", Kind.STATEMENT), ("Aufgabenbeschreibung", Kind.DESCRIPTION), ("Anforderungen", Kind.OTHER),
        ("Détail de la demande", Kind.SUMMARY), ("Missions", Kind.STATEMENT), ("Funciones", Kind.STATEMENT),
        ("Werkomschrijving", Kind.DESCRIPTION), ("Arbetsbeskrivning", Kind.DESCRIPTION), ("jd", Kind.DESCRIPTION),
        ("Arbejdsbeskrivelse", Kind.DESCRIPTION), ("Työnkuvaus", Kind.DESCRIPTION),
        ("Aufgabenbereich", Kind.STATEMENT), ("Tâche principale", Kind.STATEMENT),
        ("Descripción detallada", Kind.DESCRIPTION), ("School principal", Kind.OTHER),
        ("Opis przedmiotu zamówienia", Kind.DESCRIPTION), ("(£)", Kind.UNKNOWN),
        ("Unternehmensbeschreibung", Kind.OTHER), ("Lieferantenbezeichnung", Kind.OTHER),
        ("Bedrijfsomschrijving", Kind.OTHER), ("Kontobezeichnung", Kind.WEAK), ("Warengruppenbezeichnung", Kind.WEAK),
        ("Omschrijving opdracht", Kind.DESCRIPTION), ("Omschrijving leverancier", Kind.OTHER),
        ("Stellenbezeichnung", Kind.TITLE), ("Nachricht", Kind.SUMMARY), ("Wiadomość", Kind.SUMMARY),
        ("Use of funds (what was purchased)", Kind.SUMMARY), ("Impact (what changed)", Kind.UNKNOWN),
        ("Use of funds", Kind.SUMMARY), ("customer_issue_text", Kind.SUMMARY),
        ("Descripción de la obra", Kind.DESCRIPTION), ("Customer text", Kind.OTHER),
        ("Was ist zu tun?", Kind.SUMMARY), ("Action item", Kind.SUMMARY), ("TXZ01", Kind.SUMMARY),
        ("In your own words, what do you do all week?", Kind.SUMMARY), ("Customer comments", Kind.SUMMARY),
        ("Please describe your role", Kind.SUMMARY), ("Please describe the weather", Kind.UNKNOWN),
        ("Essential functions", Kind.STATEMENT), ("Job function", Kind.UNKNOWN), ("Libellé de la dépense", Kind.TITLE),
        ("Goods and services", Kind.SUMMARY), ("Supplier (who provided what)", Kind.OTHER),
        ("Description (what was purchased)", Kind.DESCRIPTION), ("Description (incl. address)", Kind.DESCRIPTION),
        ("Key contact function", Kind.OTHER), ("Reason for contact", Kind.SUMMARY), ("Customer notes", Kind.OTHER),
        ("Was the service delivered?", Kind.UNKNOWN), ("What is the status of the task?", Kind.UNKNOWN),
        ("Describe your experience in such roles", Kind.UNKNOWN), ("Land use", Kind.WEAK),
        ("Task sprint", Kind.UNKNOWN),
        ("Task / Ticket ID", Kind.OTHER), ("Description and ref. no.", Kind.DESCRIPTION),
        ("Reason for request", Kind.REMARK), ("First comment", Kind.SUMMARY), ("First message", Kind.SUMMARY),
        ("Accomplishments this week", Kind.SUMMARY), ("Plans for today", Kind.UNKNOWN), ("Buchungstext", Kind.SUMMARY),
        ("Price this week", Kind.OTHER),
        ("Reason for call (agent notes)", Kind.SUMMARY), ("Reason for leaving", Kind.REMARK),
        ("Reason (agent)", Kind.OTHER),
        ("supplier (name)", Kind.OTHER), ("Comments", Kind.REMARK), ("Job Key", Kind.OTHER),
        ("job_posting_body", Kind.STATEMENT), ("post_body", Kind.STATEMENT), ("Request body", Kind.STATEMENT),
        ("emailBody", Kind.STATEMENT), ("Email subject", Kind.SUMMARY), ("Email", Kind.OTHER),
        ("Comment body", Kind.WEAK), ("Governing body", Kind.OTHER), ("Body name", Kind.WEAK),
        ("to_do", Kind.DESCRIPTION), ("To-dos", Kind.DESCRIPTION), ("What to do", Kind.SUMMARY),
        ("What are your main tasks?", Kind.SUMMARY), ("What does your team do?", Kind.SUMMARY),
        ("What do you find hard?", Kind.UNKNOWN), ("What did you do?", Kind.SUMMARY),
        ("GL narrative", Kind.DESCRIPTION), ("GL description", Kind.WEAK), ("To", Kind.OTHER),
        ("descriptionPlain", Kind.DESCRIPTION), ("raw_description_html", Kind.DESCRIPTION),
        ("Title and Ref.No./Tender ID", Kind.TITLE), ("Title and description", Kind.DESCRIPTION),
        ("Date and time", Kind.OTHER), ("Reason for purchase", Kind.REMARK), ("Type of service", Kind.REMARK),
        ("Job type", Kind.OTHER), ("Payment terms", Kind.OTHER), ("Address", Kind.OTHER),
    ],
)  # fmt: skip
def test_what_a_heading_says(heading, kind):
    assert reading_of(heading).kind is kind


def test_another_language_and_another_thing_come_after():
    headings = ("description", "description_en", "Risk description", "description_fr", "description_html_fr")
    assert [reading_of(h).rank for h in headings] == [0, 0, 1, 2, 2]


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_any_heading_can_be_read(heading):
    assert isinstance(reading_of(heading).kind, Kind)
    # Neither case nor marks around it count.
    if heading.isascii() and heading.replace(" ", "").isalpha():
        assert words_of(f" {heading.lower()}: ") == words_of(heading.lower())
        assert reading_of(f"{heading.upper()} *") == reading_of(heading.lower())


@settings(max_examples=40)
@given(st.lists(st.text(max_size=40), max_size=5))
def test_any_cells_can_be_judged(cells):
    prose = prose_of(cells)
    assert 0 <= prose.likeness <= 1
    assert 0 <= prose.share_text <= 1
    assert prose.n == sum(not says_nothing(cell) for cell in cells)


def test_phrases_read_more_like_descriptions_than_names_and_these_than_codes():
    ranked = [["Payroll for all staff of the council"], ["Payroll services"], ["Harlow Green"], ["Harlow Ltd"], ["C-1"]]
    likeness = [prose_of(cells).likeness for cells in ranked]
    assert likeness == sorted(likeness, reverse=True)
    assert len(set(likeness)) == len(likeness)


def test_cells_that_repeat_read_less_like_descriptions():
    assert prose_of(["Agency staff for the ward"] * 9).likeness < prose_of(["Agency staff for the ward"]).likeness
