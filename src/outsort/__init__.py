"""Sort descriptions of work into BPO or KPO outsourcing, or NEITHER; or into any labels of your own.

>>> import outsort
>>> answer = outsort.predict("Key 500 supplier invoices a day into the ledger")
>>> answer.label, sorted(answer.probabilities)
('BPO', ['BPO', 'KPO', 'NEITHER'])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from outsort._version import __version__ as __version__

if TYPE_CHECKING:
    from outsort.data.dataset import read as read_dataset
    from outsort.errors import ClusterError as ClusterError
    from outsort.errors import DataError as DataError
    from outsort.errors import ModelError as ModelError
    from outsort.errors import OutputError as OutputError
    from outsort.errors import OutsortError as OutsortError
    from outsort.errors import ServiceError as ServiceError
    from outsort.estimator import OutsortClassifier as OutsortClassifier
    from outsort.evaluation.compare import compare as compare
    from outsort.evaluation.evaluate import evaluate as evaluate
    from outsort.explanation import explain as explain
    from outsort.explanation import find_precedents as find_precedents
    from outsort.improving.check import check as check
    from outsort.improving.merge import merge as merge
    from outsort.improving.plan import plan as plan
    from outsort.improving.retrain import retrain as retrain
    from outsort.improving.review import review as review
    from outsort.model import Model as Model
    from outsort.model_file import load as load_model
    from outsort.model_file import save as save_model
    from outsort.prediction import Prediction as Prediction
    from outsort.prediction import predict as predict
    from outsort.rules.reading import load as load_rules
    from outsort.scoring.cluster import score_dask as score_dask
    from outsort.scoring.files import score_file as score_file
    from outsort.scoring.frames import score as score
    from outsort.taxonomy import load as load_taxonomy
    from outsort.training.fitting import Settings as Settings
    from outsort.training.folds import Checks as Checks
    from outsort.training.train import train as train

# Names are fetched when first used: a prediction must not wait for scikit-learn and pandas.
_HOMES = {
    "Checks": "training.folds",
    "ClusterError": "errors",
    "DataError": "errors",
    "Model": "model",
    "ModelError": "errors",
    "OutputError": "errors",
    "OutsortClassifier": "estimator",
    "OutsortError": "errors",
    "Prediction": "prediction",
    "ServiceError": "errors",
    "Settings": "training.fitting",
    "check": "improving.check",
    "compare": "evaluation.compare",
    "evaluate": "evaluation.evaluate",
    "explain": "explanation",
    "find_precedents": "explanation",
    "load_model": "model_file:load",
    "load_rules": "rules.reading:load",
    "load_taxonomy": "taxonomy:load",
    "merge": "improving.merge",
    "plan": "improving.plan",
    "predict": "prediction",
    "read_dataset": "data.dataset:read",
    "retrain": "improving.retrain",
    "review": "improving.review",
    "save_model": "model_file:save",
    "score": "scoring.frames",
    "score_dask": "scoring.cluster",
    "score_file": "scoring.files",
    "train": "training.train",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module 'outsort' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f"outsort.{module}"), attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
