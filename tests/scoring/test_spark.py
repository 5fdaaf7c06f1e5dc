"""The recipe for Spark, as the document has it, run by a real Spark on this machine."""

import os
import re
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import outsort
from outsort.scoring.scorer import added_columns

if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
    pytest.skip("Spark needs Java, which is not here", allow_module_level=True)
pytest.importorskip("pyspark", reason="needs pip install 'outsort[spark]'")

pytestmark = pytest.mark.slow

DOCUMENT = (Path(__file__).parents[2] / "benchmarks" / "cluster.md").read_text(encoding="utf-8")
TEXTS = ["key invoices", "draft a contract", "", None, "Übersetzung, 翻訳", "mop office floors", "zzz"]


@pytest.fixture(scope="module")
def spark(model, tmp_path_factory):
    """A session that stands in a folder with a model file."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("spark"))
        outsort.save_model(model, "my-model.joblib")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
        yield session
        session.stop()


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_the_recipe_answers_like_one_machine_and_keeps_types(spark, model):
    (recipe,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    table = pa.table({"id": pa.array(range(len(TEXTS)), pa.int32()), "task": TEXTS})
    # More partitions than rows: some are empty.
    frame = spark.createDataFrame(table.to_pylist(), "id int, task string").repartition(16)
    names = {"tasks": frame, "spark": spark}
    exec(recipe, names)
    scored = names["scored"]
    assert scored.columns == [*table.column_names, *added_columns(model)]
    assert scored.schema[:2] == frame.schema
    rows = sorted((row.asDict() for row in scored.collect()), key=lambda row: row["id"])
    assert rows == outsort.score(table, model).to_pylist()
