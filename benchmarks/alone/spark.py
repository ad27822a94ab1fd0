"""Spark's MLlib in one process of two threads; a session is up before the clock starts."""

from time import perf_counter

from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import LinearRegression
from pyspark.sql import SparkSession

PACKAGES = ["pyspark"]
COLUMNS = [f"x{number}" for number in range(1, 11)]
TOLERANCES = (1e-6, 1e-9)


def run(file, target):
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    for tolerance in TOLERANCES[: 1 if target == "y" else None]:
        started = perf_counter()
        assembled = VectorAssembler(inputCols=COLUMNS, outputCol="x").transform(spark.read.parquet(file))
        table = assembled.selectExpr("x", f"cast({target} as double) as target")
        if target == "y":
            method = LinearRegression(featuresCol="x", labelCol="target", regParam=0.0, solver="normal")
        else:
            method = LogisticRegression(featuresCol="x", labelCol="target", regParam=0.0, tol=tolerance, maxIter=200)
        model = method.fit(table)
        setting = "normal equations" if target == "y" else f"tol {tolerance:.0e}"
        yield setting, perf_counter() - started, [model.intercept, *model.coefficients]
    spark.stop()
