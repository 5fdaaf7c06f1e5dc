"""What the heading of a column says of its cells: descriptions, titles, names, or none of these."""

import re
import unicodedata
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What the cells of a column are by its heading; the lower, the better they say what the work is."""

    TEXT = 0
    DESCRIPTION = 1
    #: What may stand for a description: duties, requirements, definitions.
    STATEMENT = 2
    #: Shorter than a description: a summary, a subject, a purpose.
    SUMMARY = 3
    TITLE = 4
    NAME = 5
    #: Names of classes, or of anything: to be taken only if the cells bear it out.
    WEAK = 6
    #: Nothing that is known.
    UNKNOWN = 7
    #: What is written about a row, and types of work and spending: to be taken only if nothing else can be meant.
    REMARK = 8
    #: Codes, dates, people, places: never taken for texts.
    OTHER = 9


class Reading(NamedTuple):
    """What a heading says; readings compare as how well their columns would do.

    Attributes:
        rank: 0; 1 if it may be of something other than the work; 2 if it is not in English.
        kind: what the cells are.
        is_ambiguous: whether it may as well mean something else, such as a public body, or a user's role.
    """

    rank: int
    kind: Kind
    is_ambiguous: bool = False


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _words(text: str) -> frozenset[str]:
    return frozenset(map(_singular, text.split()))


#: The word that a heading is about, in the singular, by kind.
_HEADS = {
    Kind.TEXT: _words("text"),
    Kind.DESCRIPTION: _words(
        "description descriptor descr desc jd narrative narration task beschreibung gegenstand descripción "
        "descripcion descrição descrizione omschrijving opis popis beskrivning beskrivelse kuvaus leírás"
    ),
    Kind.STATEMENT: _words(
        "statement requirement responsibility duty accountability abstract definition body scope remit mission "
        "aufgabe aufgaben aufgabengebiet aufgabenbereich "
        "tätigkeit tätigkeiten leistungsumfang leistungsinhalt tâche prestation tarea función "
        "funcion funciones tarefa funções mansione mansioni compito compiti attività werkzaamheden obowiązki "
        "zadania zakres "
        "arbetsuppgifter opgaver tehtävät"
    ),
    Kind.SUMMARY: _words(
        "summary subject matter purpose detail particular specification spec synopsis overview objective "
        "deliverable activity message content request query enquiry inquiry complaint question issue problem incident "
        "action use advert advertisement posting story accomplishment achievement nature need objet "
        "objeto oggetto leistung onderwerp betreff sujet brief snippet listing blurb symptom fault defect transcript "
        "conversation step détail demande besoin detalle detalhe dettaglio asunto assunto concepto anliegen inhalt "
        "störung leistungen przedmiot temat předmět "
        "toelichting ärende emne aihe kurztext langtext anfrage beschwerde meldung solicitud consulta richiesta "
        "reclamo vraag verzoek réclamation nachricht mitteilung bericht "
        "buchungstext positionstext bestelltext belegtext verwendungszweck mensaje messaggio mensagem meddelande "
        "viesti wiadomość zpráva txz maktx sgtxt ktext ltxa arktx"
    ),
    Kind.TITLE: _words(
        "title headline position role occupation job vacancy designation intitulé intitule libellé libelle désignation "
        "titel título titulo titolo bezeichnung denominación denominacion denominazione benennung heading "
        "stelle puesto poste nazwa tytuł název"
    ),
    Kind.NAME: frozenset(),
    Kind.WEAK: _words("name item product service work project good supply process tender contract opportunity lot"),
}
#: Words for work and for what is bought: a name of these says what it is, and so does any heading.
_OF_WORK = _words(
    "contract tender project service product item process work task job role position course bid lot opportunity "
    "procurement requirement rfp rfq solicitation notice activity good commodity package assignment engagement post "
    "material article part gig shift mission step process dépense "
    "depense achat auftrag vergabe marché contrato contratto opdracht zamówienie"
)
#: Words that leave a heading what it is.
_PLAIN = _words(
    "long full detailed main key major general short brief public advert ad title name description text scope subject "
    "spend spending transaction line invoice purchase order po requisition ticket incident case call change issue "
    "problem request complaint consumer clause vacancy occupation programme program research study need business "
    "working the a an la le les der die das el los las il lo and or public proposed required initial original this "
    "that your our you we they it is are was were be been being will shall to high overview role gig"
)
_SAYING = frozenset().union(*_HEADS.values()) - {"use"}
_EXPECTED = _OF_WORK | _PLAIN | _SAYING
#: Words for what people do; "services required" are texts, "services" may be a department.
_WORK = _words("service work good supply")
#: Of these there are types and categories that may be all that a register says of the work.
_SPENT = _WORK | _words("expense expenditure spend spending procurement purchase task activity")
#: Words that follow what a heading is about.
_TRAILING = _words(
    "required requested needed provided performed done purchased procured bought supplied delivered sought include "
    "including covered undertaken carried out"
)
#: Words between what a heading is about and such a word: "services to be provided".
_AUXILIARY = _words("to be been being is are was were will shall")
#: What is done or bought: "what we buy" and "what you will do" are texts, "what we offer" is not.
_DONE = _words(
    "buy buying bought doing purchase purchased procure procured do done does need needed require required deliver "
    "delivered provide provided requested happened tun machen gemacht gekauft beschafft benötigt gebraucht"
)
#: Of tables with two such columns the rows are jobs, and requirements are of people: "Spring, SQL".
_OF_JOBS = _words(
    "job vacancy salary pay employment employer benefit headline applicant recruiter hiring telecommuting "
    "qualification "
    "experience education occupation role responsibility duty company"
)
#: Words behind which a heading says of what: the word it is about comes before.
_OF = _words("of for du de des del dell della der van di do da about on in")
#: In Slavic languages and Dutch the word that a heading is about comes first, with no word behind it that says so.
_FIRST = _words("opis popis przedmiot předmět zakres omschrijving")
#: Adjectives that Romance languages put behind the word that a heading is about ("Mission principale"), and times.
_BEHIND = _words(
    "this week today yesterday principal principale principales général générale generale geral complète "
    "complet completa completo détaillée détaillé detallada detallado dettagliata dettagliato detalhada detalhado"
)
#: What a heading is about that is no text, or what is said of codes and the like.
_CODES = _words(
    "code id identifier number no nr num ref reference date time day year month typ type status state category "
    "class level count length size url uri link email mail phone telephone tel fax mobile website language currency "
    "value amount price cost rate unit uom qty quantity by to from version flag band grade score rank rating weight "
    "priority hash guid uuid sku ean source sort index postcode zip latitude longitude percent percentage total "
    "balance vat created updated modified opened closed start end due deadline duration"
)
#: What is written about a row rather than what it is.
_REMARKS = _words(
    "comment note remark feedback reason term condition criterion criteria benefit profile resolution justification "
    "qualification skill qual minimum education experience eligibility additional other further extra supplementary "
    "renewal option payment delivery bio biography history answer response reply anforderung anforderungen "
    "voraussetzung voraussetzungen kenntnisse profil compétence requisito bemerkung bemerkungen commentaire "
    "observación "
    "observaciones opmerking uwagi"
)
#: Remarks of no particular kind.
_FREE_REMARKS = _words(
    "comment note remark bemerkung bemerkungen commentaire observación observaciones opmerking uwagi"
)
#: What people write of a row that is itself a message: the comments of a case say what it is about.
_DIALOGUE = _words("case ticket incident request complaint call work first initial opening")
_LEAST_OF_JOBS = 2
#: People, bodies and places, whose names and titles are no descriptions of work.
_PARTIES = _words(
    "supplier vendor buyer seller purchaser payee payer merchant customer client company organisation organization "
    "organiser agency authority department dept directorate ministry officer official contact person employee "
    "employer manager owner user requester requestor requisitioner requestee reporter assignee agent author applicant "
    "candidate contractor consultant bidder winner awardee recipient beneficiary provider institution school "
    "university college first last middle family given surname forename initial country region city town county "
    "district street location place site area nuts office building brand manufacturer bank file sheet "
    "document attachment image photo entity partner signatory parent sender approver reviewer councillor "
    "address member spouse mr mrs ms miss mx dr prof sir honorific salutation username pi who borough ward "
    "firma firmen unternehmen arbeitgeber lieferanten kunden hersteller abteilung standort bedrijf leverancier klant "
    "afdeling locatie"
)
#: People who say what they want: their requests are texts.
_SPEAKERS = _words("customer client user requester requestor buyer")
_SAID = _words("message query request complaint question issue problem requirement story enquiry inquiry need")
#: What is written has a body, as boards and councils are bodies.
_WRITTEN = _SAID | _words(
    "text posting post advert ad advertisement article ticket case job notice tender listing comment note"
)
#: Words that begin a heading which is a sentence.
_OPENINGS = _words("about describe explain what was")
#: Names of two weak words that say more than either.
_WHAT_IS_DONE = tuple(map(_words, ("good service", "action item", "work item")))
#: What is said of a mail that is a text, and not the address.
_OF_MAIL = _words("body subject text message content title")
#: Schemes of classes and the like: their descriptions and titles say the class of a row, not what it is.
_CLASSES = _words(
    "cpv naics unspsc sic psc nace isco soc category class classification segment division section account acct gl "
    "ledger cost centre center budget fund object economic procedure tax sector industry group subjective proclass "
    "cipfa portfolio minor error currency event nature "
    "konto konten sachkonto kostenstelle kostenstellen kostenart kostenarten warengruppe warengruppen "
    "kostenplaats grootboek rekening"
)
#: Languages and formats at the end of a heading; formats and those of English leave it what it is.
_ENGLISH = _words("en eng english html plain raw clean cleaned markdown md")
_LANGUAGES = _words("de fr es it nl pt pl sv da fi el cs cy ga french german welsh")
#: Compounds of Germanic languages and Finnish end in what they are about; in English, words may stand together.
_SUFFIXES = (
    *("beschreibung", "bezeichnung", "gegenstand", "leistung", "titel", "umschreibung"),
    *("omschrijving", "beskrivning", "beskrivelse", "kuvaus"),
)
_JOINED = re.compile("(.+)(description|title|name|summary|text|details?|code|id|number|date|type)")
_KNOWN = _OF_WORK | _PLAIN | _PARTIES | _CLASSES
#: Years, quarters and months, which name the columns of pivot tables and budgets.
PERIOD = re.compile(
    r"(?:fy ?)?(?:19|20)\d\d(?: ?[-/–] ?\d{2,4})?|fy ?\d\d(?: ?[-/–] ?\d\d)?|q[1-4](?:[ /-]?(?:19|20)?\d\d)?"
    r"|(?:(?:19|20)\d\d[ /-]?)?q[1-4]"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?:[ '’-]?(?:19|20)?\d\d)?",
    re.IGNORECASE,
)
#: Words of a heading that is a cell rather.
_WORDS_OF_A_CELL = 5
_AMBIGUOUS = _words("body subject matter issue role position")


def words_of(heading: str) -> list[str]:
    """Return the words of a heading: without case, marks, numbers and plurals.

    >>> words_of("2. contractTitles (max. 250)*"), words_of("JOBTITLE")
    (['contract', 'title', 'max'], ['job', 'title'])
    """
    text = unicodedata.normalize("NFKC", heading)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).casefold()
    return [part for word in re.findall(r"[^\W\d_]{2,}", text) for part in _apart(word)]


def _apart(word: str) -> list[str]:
    joined = _JOINED.fullmatch(word)
    parts = joined.groups() if joined and _singular(joined[1]) in _KNOWN else (word,)
    return [_singular(part) for part in parts]


def readings_of(headings: Sequence[str]) -> list[Reading]:
    """Return what headings say of their columns, those of one table.

    >>> [reading.kind.name for reading in readings_of(["Requirements", "Job title", "Salary"])]
    ['OTHER', 'TITLE', 'UNKNOWN']
    """
    readings = list(map(reading_of, headings))
    words = list(map(words_of, headings))
    if sum(not _OF_JOBS.isdisjoint(of) for of in words) < _LEAST_OF_JOBS:
        return readings
    are_of_people = [of[-1:] == ["requirement"] and {*of} <= {"requirement"} | _OF_JOBS | _PLAIN for of in words]
    return [Reading(0, Kind.OTHER) if of else told for told, of in zip(readings, are_of_people, strict=True)]


def reading_of(heading: str) -> Reading:
    """Return what a heading says of its column.

    >>> [reading_of(heading).kind.name for heading in ("Tender Description", "Short description", "Job title")]
    ['DESCRIPTION', 'SUMMARY', 'TITLE']
    >>> [reading_of(heading).kind.name for heading in ("Description code", "Supplier Name", "CPV description")]
    ['OTHER', 'OTHER', 'WEAK']
    """
    heading = re.sub(r"(?i)^\W*to[-_ ]?dos?(?![a-z])", "task", heading)
    # "In your own words, what do you do?", "Please describe your role"
    heading = re.sub(r"(?i)^.*,\s*(?=what\b)|^\W*please\s+", "", heading)
    *parts, last = re.split(r"(?i)\s+(?:and|&)\s+", heading)
    if parts and _CODES & {*words_of(last)[-1:]}:
        # "Title and Ref. No."
        heading = " and ".join(parts)
    heading = re.sub(r"(?i)\b(?:high|top)[-_ ]level\b|\bone[-_ ]line\b", "short", heading)
    aside = {word for part in re.findall(r"[(\[]([^)\]]*)", heading) for word in words_of(part)}
    words = words_of(re.sub(r"[(\[].*?([)\]]|$)", " ", heading)) or list(aside)
    if (told := _of_aside(aside, {*words})) is not None:
        return told
    rank = 2 * ({*words} <= _LANGUAGES)
    while len(words) > 1 and words[-1] in _ENGLISH | _LANGUAGES:
        rank = max(rank, 2 * (words.pop() in _LANGUAGES))
    if not words:
        return Reading(0, Kind.UNKNOWN)
    if len(words) > 1 and words[0] in _OPENINGS:
        # "What do you find hard" is not about what is done.
        is_question = len(words) > 2 and words[1] in _words("do does did")
        return _of_sentence(words[0], {*words[1 + is_question :]})
    while len(words) > 1 and words[-1] in _BEHIND:
        words.pop()
    is_asked = False
    while len(words) > 1 and words[-1] in _TRAILING and words[-2] not in _OF:
        words.pop()
        while len(words) > 1 and words[-1] in _AUXILIARY:
            words.pop()
        is_asked = words[-1] in _WORK
    n_words = 1 if words[0] in _FIRST else len(words)
    place = next((i for i, word in enumerate(words[1:], 1) if word in _OF), n_words)
    head, others = words[place - 1], {*words[: place - 1], *words[place:]} - _OF
    if head.startswith("kurz"):
        others.add("short")
    ending = next((suffix for suffix in _SUFFIXES if head.endswith(suffix)), head)
    # A compound begins with what it is of: "Firmenbeschreibung" describes a firm.
    others |= {_singular(head.removesuffix(ending))} & (_PARTIES | _CLASSES)
    head = ending
    others -= _words("email mail") if head in _OF_MAIL else set()
    kind = _kind(head, others, is_asked=is_asked)
    is_plain = kind is Kind.WEAK or others <= _EXPECTED or (kind is Kind.SUMMARY and others & _SPEAKERS)
    return Reading(max(rank, int(not is_plain)), kind, head in _AMBIGUOUS and not others)


def is_known(heading: str) -> bool:
    """Return whether a heading is one that columns usually have, and not a text in its place.

    >>> is_known("Job title"), is_known("Supplier"), is_known("Keying of invoices into SAP")
    (True, True, False)
    """
    reading = reading_of(heading)
    return reading.rank == 0 and reading.kind is not Kind.UNKNOWN


def reads_like_cell(heading: str) -> bool:
    """Return whether a heading is more like a cell: a number that is no year, or as long as a description.

    >>> reads_like_cell("1,250.00"), reads_like_cell("2026"), reads_like_cell("How long do you work on it?")
    (True, False, False)
    """
    if PERIOD.fullmatch(heading) or heading.rstrip().endswith("?"):
        return False
    return heading.replace(",", "").replace(".", "", 1).isdigit() or len(heading.split()) >= _WORDS_OF_A_CELL


def is_remark(heading: str) -> bool:
    """Return whether a heading names remarks in general, which in some tables are where the work is described.

    >>> is_remark("Task notes"), is_remark("Close notes"), is_remark("Renewal comments")
    (True, False, False)
    """
    words = words_of(heading)
    return bool(words) and words[-1] in _FREE_REMARKS and {*words[:-1]} <= _EXPECTED


def _of_aside(aside: set[str], words: set[str]) -> Reading | None:
    """Return what words in brackets say of a column, None for nothing; the other words say it better, if they do."""
    if "what" in aside and aside & _DONE and not words & (_CODES | _PARTIES | _SAYING):
        # "Use of funds (what was purchased)"
        return Reading(0, Kind.SUMMARY)
    # Notes are of the row, whoever wrote them.
    others = _CODES - _words("to from by in no unit length") | (
        set() if aside & _FREE_REMARKS else _PARTIES - {"address"}
    )
    return Reading(0, Kind.OTHER) if aside & others and not aside & _words("max limit") else None


def _of_sentence(first: str, others: set[str]) -> Reading:
    """Return what "about the role" or "what we buy" says of a column, by the words behind the first."""
    if others & _PARTIES:
        return Reading(0, Kind.OTHER)
    if first == "about":
        return Reading(0, Kind.DESCRIPTION if others & _OF_WORK else Kind.OTHER)
    if others & _words("status date number why experience") or (
        first == "was" and not others & _words("ist sind wird")
    ):
        return Reading(0, Kind.UNKNOWN)
    is_work = others & (_DONE | _HEADS[Kind.DESCRIPTION] | _HEADS[Kind.STATEMENT])
    if first in ("describe", "explain"):
        is_work |= others & (_OF_WORK | _SAID)
    return Reading(0, Kind.SUMMARY if is_work else Kind.UNKNOWN)


def _kind(head: str, others: set[str], *, is_asked: bool) -> Kind:
    """Return what cells are, by the word that their heading is about and its other words."""
    said_by = _words("customer client caller user") if head == "comment" else frozenset()
    if head in ("comment", "note") and others and others <= _DIALOGUE | said_by:
        return Kind.SUMMARY
    if head == "reason" and others and others <= _words("call contact enquiry inquiry visit ticket case"):
        return Kind.SUMMARY
    if head == "note" and "explanatory" in others:
        return Kind.STATEMENT
    if _is_of_others(head, others):
        is_class = head in ("type", "category") and others & _SPENT and not others & _PARTIES
        return Kind.REMARK if is_class else Kind.OTHER
    if head == "function" and others & _words("essential key main core"):
        return Kind.STATEMENT
    if head in _REMARKS:
        return Kind.REMARK if head in _FREE_REMARKS | _words("reason justification feedback") else Kind.OTHER
    if head == "label" and others & _words("preferred pref"):
        return Kind.TITLE
    kind = next((kind for kind, heads in _HEADS.items() if head in heads), Kind.UNKNOWN)
    return kind if kind is Kind.UNKNOWN else _weighed(kind, head, others, is_asked=is_asked)


def _is_of_others(head: str, others: set[str]) -> bool:
    """Return whether cells are codes, parties, or said of these."""
    of_others = others & _PARTIES
    if head in _SAID or (head in ("text", "body") and others & _SAID):
        of_others -= _SPEAKERS | _words("first initial")
    return bool(of_others) or head == "key" or head in _CODES | _PARTIES or (head == "body" and not others <= _WRITTEN)


def _weighed(kind: Kind, head: str, others: set[str], *, is_asked: bool) -> Kind:
    """Return a kind that is told by the word that a heading is about as its other words leave it."""
    if head in ("narrative", "narration", "use"):
        # Of a class there is a description or a title, but no story and no use.
        others = others - _CLASSES
    # An additional description is one; an additional name is not that of the work.
    others = others - _words("additional further") if kind is Kind.DESCRIPTION else others
    is_of_things = head == "use" and not others <= {"fund", "budget", "grant", "money", "the"}
    if (
        is_of_things
        or others & (_CLASSES | _CODES | _REMARKS)
        or (head in ("nature", "step") and not others & _OF_WORK)
    ):
        return Kind.WEAK
    if others & _words("short brief") and kind <= Kind.DESCRIPTION:
        return Kind.SUMMARY
    if kind is Kind.WEAK and (is_asked or any(pair <= {head, *others} for pair in _WHAT_IS_DONE)):
        return Kind.SUMMARY
    if kind is Kind.WEAK and head == "name" and others & _OF_WORK:
        return Kind.NAME
    # Some other text than the one that "text" names.
    return Kind.SUMMARY if kind is Kind.TEXT and not others <= _EXPECTED else kind
