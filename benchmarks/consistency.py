"""Does `outsort check SCORED --by supplier` find work that is answered differently across suppliers?

A register of 50,000 rows with 20 suppliers and amounts (lognormal) is made from `data/tasks.csv`, filled up with rows
that come again under other suppliers, and scored with the default model. Then 500 rows are planted: copies of other
rows, under another supplier and with another label. Half of them are copied as they are; half are reworded as a hand
would: one to three edits, drawn at random for each row, each of another kind:

- order: "invoice checks and filing" as "filing and invoice checks", "design of a logo" as "logo design", what follows a
  comma first;
- synonyms: one word or two for others, from the table `SYNONYMS`, which the method does not know;
- number: a noun in the singular or the plural;
- form: "review contracts" as "reviewing contracts" or back;
- abbreviation: a usual one from `ABBREVIATIONS`, or a long word cut or without its inner vowels;
- filler: words that add nothing, such as "services", "the supply of", "lot 3", or words without their "the".

A planted row counts as found if it is among the first 1,000 rows listed: those side by side in the findings, in their
order. Written as Markdown.

    python benchmarks/consistency.py
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from outsort.errors import DataWarning
from outsort.improving.consistency import check_consistency
from outsort.scoring.frames import score

ROOT = Path(__file__).parents[1]
LABELS = ("BPO", "KPO", "NEITHER")
#: Words of one line mean much the same; drawn at random, whatever the sense at hand.
SYNONYMS = """
    review check inspect examine assess
    prepare draft write compile
    produce create make
    design devise
    build develop
    help assist support
    help assistance support aid
    firm company business enterprise
    customer client buyer
    supplier vendor provider
    invoice bill
    staff personnel employees workforce
    hire recruit
    training instruction coaching
    plan schedule
    plan strategy
    report statement account
    study analysis investigation
    analyse study investigate
    advice counsel guidance consulting
    advise counsel guide
    update refresh revise
    enter input key record
    entry input keying capture
    translate render
    fix repair mend
    repair maintenance
    clean wash
    cleaning washing
    check verify confirm
    checking verification
    manage run administer handle
    management administration running
    answer reply respond
    enquiries queries questions
    calls phone telephone
    photos pictures images photographs
    website site
    shop store
    online web internet
    monthly every-month
    weekly every-week
    small little minor
    large big
    new fresh
    old former aged
    list register catalogue
    collect gather
    sort order arrange
    test trial
    law legislation
    legal juridical
    school college
    hospital clinic
    doctor physician
    car vehicle
    cars vehicles
    house home
    food meals catering
    goods merchandise products
    product item article
    orders purchases
    delivery shipment
    transport haulage carriage
    price cost
    prices costs tariffs
    pay wages salaries
    payroll wages
    money funds
    tax taxation
    audit inspection
    market trade
    research inquiry
    survey poll
    forms questionnaires
    file document
    files documents papers
    records files
    data information figures
    database data-base
    software programs
    app application
    machine device equipment
    drawings plans
    road highway street
    town city municipality
    council authority
    ministry department
    charity foundation
    meeting session
    event function occasion
    events functions
    guide manual handbook
    story tale
    book volume
    article piece
    short brief
    quick fast rapid
    annual yearly
    daily everyday
    evaluate appraise assess
    improve better enhance
    choose select pick
    remove delete strip
    tag label mark
    send dispatch
    pack wrap
    proofread correct
    edit revise
    logo emblem
    brochure leaflet flyer
    poster placard
    insurance cover
    claims demands
    loan credit
    bank lender
    farm agricultural
    engine motor
    water drainage
    risk hazard
    safety security
    rules regulations
    contract agreement
    contracts agreements
    lease tenancy
    tender bid
    quarterly three-monthly
    assistant helper
    expert specialist
    consultant adviser
    worker labourer
    teacher tutor
    pupil student
    students pupils learners
    children kids
    patients cases
    holiday vacation
    trip journey travel
    set-up installation
    install fit
    fitting installation
    supply provision
    purchase procurement buying
"""
#: Usual short forms, in either direction.
ABBREVIATIONS = {
    "management": "mgmt", "department": "dept", "accounts payable": "AP", "accounts receivable": "AR",
    "human resources": "HR", "information technology": "IT", "document": "doc", "documents": "docs",
    "information": "info", "administration": "admin", "application": "app", "applications": "apps",
    "specification": "spec", "specifications": "specs", "photographs": "photos", "advertisement": "ad",
    "reference": "ref", "references": "refs", "laboratory": "lab", "examination": "exam", "maintenance": "maint.",
    "government": "govt", "international": "intl", "development": "dev", "organisation": "org", "manager": "mgr",
    "account": "acct", "accounts": "accts", "quality assurance": "QA", "search engine optimisation": "SEO",
    "public relations": "PR", "research and development": "R&D", "and": "&", "with": "w/", "number": "no.",
    "approximately": "approx.", "customer": "cust.", "year": "yr", "years": "yrs", "month": "mth", "please": "pls",
    "electronic": "e-", "question": "Q", "temperature": "temp.", "university": "uni", "association": "assoc.",
    "assistant": "asst", "services": "svcs", "service": "svc", "equipment": "equip.", "engineering": "eng.",
    "financial": "fin.", "statistics": "stats", "statistical": "stat.", "mathematics": "maths", "veterinary": "vet",
    "microphone": "mic", "telephone": "tel.", "television": "TV", "purchase order": "PO", "purchase orders": "POs",
}  # fmt: skip
BEFORE = ("provision of", "supply of", "services for", "work:", "lot 2:", "re:", "support with", "the", "general")
AFTER = (
    "services",
    "(2026)",
    "- lot 3",
    "work",
    "as agreed",
    "per month",
    "- call-off",
    "etc",
    "phase 2",
    "as required",
)


def _words_of(table: str) -> dict[str, list[str]]:
    """Return for each word the others of its lines."""
    others: dict[str, list[str]] = {}
    for line in table.split("\n"):
        for word in line.split():
            others.setdefault(word, []).extend(other.replace("-", " ") for other in line.split() if other != word)
    return others


_OTHERS = _words_of(SYNONYMS)


def order(text: str, rng: random.Random) -> str:
    of = re.fullmatch(r"([\w-]+(?: [\w-]+)?) of (?:an? |the )?([\w-]+(?: [\w-]+)?)([.,].*)?", text)
    if of:
        return f"{of[2]} {of[1].lower()}{of[3] or ''}"
    first, mark, rest = text.partition(", ")
    if mark and rng.random() < 0.7:
        ends = "." if text.endswith(".") else ""
        return f"{rest.removesuffix('.')}, {first}{ends}"
    around = list(re.finditer(r"([\w-]+) (and|or|&) ([\w-]+)", text))
    if around:
        found = rng.choice(around)
        return f"{text[: found.start()]}{found[3]} {found[2]} {found[1]}{text[found.end() :]}"
    words = text.split()
    if 2 <= len(words) <= 4:
        return " ".join([words[-1], *words[:-1]])
    return text


def synonyms(text: str, rng: random.Random) -> str:
    parts = re.split(r"(\W+)", text)
    places = [i for i, part in enumerate(parts) if part.lower() in _OTHERS]
    for i in rng.sample(places, min(len(places), rng.choice((1, 1, 2)))):
        parts[i] = rng.choice(_OTHERS[parts[i].lower()])
    return "".join(parts)


def number(text: str, rng: random.Random) -> str:
    parts = re.split(r"(\W+)", text)
    places = [
        i for i, part in enumerate(parts) if len(part) > 4 and not re.search("(ing|ed|ss|us|is|ly|our|an)$", part)
    ]
    if places:
        i = rng.choice(places)
        word = parts[i]
        singular = word[:-3] + "y" if word.endswith("ies") else word[:-1]
        plural = word[:-1] + "ies" if re.search("[^aeiou]y$", word) else word + "s"
        parts[i] = singular if word.endswith("s") else plural
    return "".join(parts)


def form(text: str, rng: random.Random) -> str:  # noqa: ARG001 - all edits are called alike
    first, space, rest = text.partition(" ")
    if not rest:
        return text
    if first.lower().endswith("ing") and len(first) > 5:
        return f"{first[:-3]}{space}{rest}"
    if re.fullmatch("[A-Za-z]+[^aeiou]e", first):
        return f"{first[:-1]}ing{space}{rest}"
    if re.fullmatch("[A-Za-z]{3,}[^aeiousy]", first):
        return f"{first}ing{space}{rest}"
    return text


def abbreviation(text: str, rng: random.Random) -> str:
    usual = [(a, b) for a, b in ABBREVIATIONS.items() if re.search(rf"\b{re.escape(a)}\b", text, re.IGNORECASE)]
    back = [(b, a) for a, b in ABBREVIATIONS.items() if re.search(rf"(?<!\w){re.escape(b)}(?!\w)", text)]
    if usual or back:
        a, b = rng.choice(usual + back)
        return re.sub(rf"(?<!\w){re.escape(a)}(?!\w)", lambda _: b, text, count=1, flags=re.IGNORECASE)
    parts = re.split(r"(\W+)", text)
    places = [i for i, part in enumerate(parts) if len(part) > 7]
    if places:
        i = rng.choice(places)
        word = parts[i]
        vowelless = word[0] + re.sub("[aeiou]", "", word[1:-1]) + word[-1]
        parts[i] = rng.choice((word[: rng.randint(4, 5)] + ".", vowelless))
    return "".join(parts)


def filler(text: str, rng: random.Random) -> str:
    if re.search(r"\b(the|an?) ", text) and rng.random() < 0.5:
        return re.sub(r"\b(?:the|an?) ", "", text)
    if rng.random() < 0.5:
        return f"{rng.choice(BEFORE)} {text[:1].lower()}{text[1:]}"
    return f"{text.removesuffix('.')} {rng.choice(AFTER)}"


EDITS = (order, synonyms, number, form, abbreviation, filler)


def reworded(text: str, rng: random.Random) -> str:
    """Return a text in other words: after one to three edits that changed it."""
    wanted, made = rng.choice((1, 2, 2, 3)), 0
    result = text
    for edit in rng.sample(EDITS, len(EDITS)):
        changed = edit(result, rng)
        made += changed != result
        result = changed
        if made == wanted:
            break
    return result


def register(n_rows: int, n_suppliers: int, seed: int) -> pd.DataFrame:
    """Return rows of `supplier`, `spend` and `description`: the dataset's, filled up with some that come again."""
    rng = np.random.default_rng(seed)
    tasks = pd.read_csv(ROOT / "data" / "tasks.csv", keep_default_na=False)
    texts = tasks.loc[tasks["label"] != "UNCLEAR", "text"].to_numpy()
    again = rng.choice(texts, max(0, n_rows - len(texts)))
    texts = rng.permutation(np.concatenate([rng.permutation(texts)[:n_rows], again]))
    suppliers = [f"Supplier {i + 1}" for i in range(n_suppliers)]
    spend = np.round(rng.lognormal(8, 1.5, n_rows), 2)
    return pd.DataFrame({"supplier": rng.choice(suppliers, n_rows), "spend": spend, "description": texts})


def planted(rows: pd.DataFrame, n: int, seed: int) -> tuple[pd.DataFrame, list[int]]:
    """Return scored rows with n inconsistencies, and the numbers of the planted rows in a spreadsheet.

    The first half of the planted rows are copies, the others are reworded.
    """
    rng, words = np.random.default_rng(seed), random.Random(seed)
    sources = rng.choice(len(rows), n, replace=False)
    copies = rows.iloc[sources].copy()
    texts = copies["description"].tolist()
    copies["description"] = texts[: n // 2] + [reworded(text, words) for text in texts[n // 2 :]]
    suppliers = rows["supplier"].unique()
    copies["supplier"] = [rng.choice(suppliers[suppliers != one]) for one in copies["supplier"]]
    copies["label"] = [rng.choice([label for label in LABELS if label != one]) for one in copies["label"]]
    copies["spend"] = rng.permutation(copies["spend"].to_numpy())
    copies["planted"] = np.where(np.arange(n) < n // 2, "copied", "reworded")
    mixed = pd.concat([rows.assign(planted=""), copies]).sample(frac=1, random_state=seed).reset_index(drop=True)
    return mixed, mixed["planted"].to_numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--planted", type=int, default=500)
    parser.add_argument("--suppliers", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore", DataWarning)
    heads = ["seed", "findings", "planted rows among the first listed", "copied", "reworded", "seconds"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    for seed in range(options.seeds):
        rows = score(register(options.rows - options.planted, options.suppliers, seed))
        mixed, kinds = planted(rows, options.planted, seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scored.csv"
            mixed.drop(columns="planted").to_csv(path, index=False)
            start = time.perf_counter()
            result = check_consistency(path, by="supplier", weight_column="spend")
            took = time.perf_counter() - start
        listed = [row.row - 2 for finding in result.findings for row in finding.rows][: 2 * options.planted]
        found = kinds[listed]
        of = {kind: (found == kind).sum() / (kinds == kind).sum() for kind in ("copied", "reworded")}
        share = (found != "").sum() / options.planted
        cells = [len(result.findings), f"{share:.1%}", f"{of['copied']:.1%}", f"{of['reworded']:.1%}", f"{took:.0f}"]
        print("|", " | ".join(map(str, [seed, *cells])), "|", flush=True)


if __name__ == "__main__":
    main()
