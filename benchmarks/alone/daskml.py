"""dask-ml on two worker processes, by Newton's method, which of its solvers takes the fewest readings.

The rows are read once and kept by the workers, as far as their memory goes.
"""

from time import perf_counter

import dask.dataframe as dd
from dask_ml.linear_model import LinearRegression, LogisticRegression
from distributed import Client, wait

PACKAGES = ["dask-ml", "dask", "distributed", "scikit-learn", "numpy"]
COLUMNS = [f"x{number}" for number in range(1, 11)]
STEPS = (1, 2, 4, 6, 8)


def run(file, target):
    kind = LinearRegression if target == "y" else LogisticRegression
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        started = perf_counter()
        table = dd.read_parquet(file, columns=[*COLUMNS, target], split_row_groups=True).to_dask_array(lengths=True)
        table = client.persist(table)
        wait(table)
        X, y = table[:, :-1], table[:, -1]
        read = perf_counter() - started
        for steps in STEPS:
            begun = perf_counter()
            model = kind(solver="newton", max_iter=steps - 1, tol=1e-12).fit(X, y)
            yield f"{steps} steps", read + perf_counter() - begun, [model.intercept_, *model.coef_]
