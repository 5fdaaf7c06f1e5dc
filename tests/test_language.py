import pandas as pd
import pytest

from outsort.prediction import default_model, predict
from outsort.scoring.scorer import Scorer
from outsort.training import folds, train

#: What buyers write in nine languages; facts of the languages, not of the model.
FOREIGN = [
    "servicios de limpieza para los edificios del municipio",
    "Prestação de serviços de limpeza para as escolas da cidade e dos hospitais",
    "Prestation de nettoyage des locaux de la mairie",
    "Reinigung der Schulen und der Turnhallen für die Stadt",
    "Servizio di pulizia degli uffici della regione e delle scuole",
    "schoonmaak van het gemeentehuis en het zwembad",
    "Dostawa materiałów biurowych dla urzędu oraz szkół",
    "услуги по уборке помещений",
    "オフィスの 清掃 業務",
    # Phrases without a word that only their language has.
    "Rédaction de contrats de brevet",
    "Introducción de facturas de proveedores",
    "Redação de contratos",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_another_language_is_named_as_the_reason_on_every_path(text):
    answer = predict(text)
    assert (answer.decision, answer.reason) == ("review", "another language")


def test_score_gives_the_reasons_of_predict():
    texts = [*FOREIGN, "payroll", "C", "Ref 2231/B", "PO 4500012", "Suche", "payroll run " * 400, "monthly payroll run"]
    scored = Scorer(default_model(), workers=1).columns(texts)["reason"].tolist()
    assert scored == [answer.reason for answer in predict(texts)]
    assert scored[len(FOREIGN) :] == ["too few words"] * 2 + scored[len(FOREIGN) + 2 : -2] + ["too long", ""]


def test_english_names_and_terms_of_other_languages_are_not_foreign():
    for text in (
        "Translate the will of Juan de la Cruz from Spanish",
        "data entry for El Al and La Liga ticket sales",
        "SAP FI/CO konfiguration, MwSt postings",
        "van hire with driver",
        "payroll for Müller Möbel, Zürich",
        "résumé screening",
    ):
        assert predict(text).reason != "another language"


def test_to_a_model_of_german_rows_german_is_not_foreign():
    rows = [
        (f"{verb} die {thing} der {firm} und prüft sie", label)
        for verb, label in (("erfasst", "BPO"), ("bewertet", "KPO"), ("reinigt", "NEITHER"))
        for thing in ("rechnungen", "verträge", "hallen", "lager")
        for firm in ("bank", "werft", "stadt", "schule")
    ]
    model = train.train(pd.DataFrame(rows, columns=["text", "label"]), checks=folds.Checks(folds=0))
    unknown = "erfasst die lohnzettel der gießerei und sortiert belege"
    assert predict(unknown, model).reason != "another language"
    assert predict("nettoyage des locaux de la mairie et des écoles", model).reason == "another language"
