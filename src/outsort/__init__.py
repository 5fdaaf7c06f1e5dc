"""Sort descriptions of work into BPO or KPO outsourcing.

>>> import outsort
>>> outsort.predict("Key 500 supplier invoices a day into the ledger").label
'BPO'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outsort.artefact import load as load_model
    from outsort.artefact import save as save_model
    from outsort.audit import audit as check
    from outsort.cluster import score_dask
    from outsort.comparison import compare
    from outsort.dataset import read as read_dataset
    from outsort.errors import (
        ClusterError,
        DataError,
        ModelError,
        OutputError,
        OutsortError,
        ServiceError,
    )
    from outsort.evaluation import evaluate
    from outsort.explanation import explain, find_precedents
    from outsort.merging import merge
    from outsort.model import Model
    from outsort.planning import plan
    from outsort.prediction import Prediction, predict
    from outsort.retraining import retrain
    from outsort.scoring import score, score_file
    from outsort.training import Checks, Settings, train

__version__ = "0.1.0"

__all__ = [
    "Checks",
    "ClusterError",
    "DataError",
    "Model",
    "ModelError",
    "OutputError",
    "OutsortError",
    "Prediction",
    "ServiceError",
    "Settings",
    "check",
    "compare",
    "evaluate",
    "explain",
    "find_precedents",
    "load_model",
    "merge",
    "plan",
    "predict",
    "read_dataset",
    "retrain",
    "save_model",
    "score",
    "score_dask",
    "score_file",
    "train",
]

# Names are fetched when first used: a prediction must not wait for scikit-learn and pandas.
_HOMES = {
    "Checks": "training",
    "ClusterError": "errors",
    "DataError": "errors",
    "Model": "model",
    "ModelError": "errors",
    "OutputError": "errors",
    "OutsortError": "errors",
    "Prediction": "prediction",
    "ServiceError": "errors",
    "Settings": "training",
    "check": "audit:audit",
    "compare": "comparison",
    "evaluate": "evaluation",
    "explain": "explanation",
    "find_precedents": "explanation",
    "load_model": "artefact:load",
    "merge": "merging",
    "plan": "planning",
    "predict": "prediction",
    "read_dataset": "dataset:read",
    "retrain": "retraining",
    "save_model": "artefact:save",
    "score": "scoring",
    "score_dask": "cluster",
    "score_file": "scoring",
    "train": "training",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module 'outsort' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f"outsort.{module}"), attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
