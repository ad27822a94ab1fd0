"""descend: streamed, in memory, or on a cluster of this machine's processes."""

from importlib import import_module
from time import perf_counter

import descend

PACKAGES = ["numpy", "scipy", "polars"]


def run(file, target, how, tested="none"):
    formula = f"{target} ~ {' + '.join(f'x{number}' for number in range(1, 11))}"
    settings = {"epochs": 1000} if target == "y" else {}
    if how.startswith("local:"):
        import_module("descend.tables.cluster")
        settings["cluster"] = how
    else:
        settings["memory"] = how
    started = perf_counter()
    model = descend.fit(formula, file, test=tested, **settings)
    yield f"{model.history.epochs} epochs", perf_counter() - started, model.coefficients.values()
