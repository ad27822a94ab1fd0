"""descend: from a table to a tested equation, by gradient descent.

Everything public is listed here and imported only when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from descend.base.version import __version__

if TYPE_CHECKING:
    from descend.analysis.comparison import Comparison
    from descend.analysis.diagnosis import Finding
    from descend.analysis.forecast import Forecast
    from descend.analysis.verification import Verification
    from descend.base.errors import (
        ClusterError,
        DescendError,
        DesignError,
        DivergedError,
        FitError,
        FormulaError,
        InterruptedFitError,
        ModelError,
        OptionError,
        TableError,
    )
    from descend.estimators import DescentClassifier, DescentRegressor, ModuleClassifier, ModuleRegressor
    from descend.estimators.interop import from_sklearn
    from descend.fitting.compare import compare
    from descend.fitting.fit import fit
    from descend.fitting.forecast import Trajectory, forecast, trajectory
    from descend.fitting.model import Model, load
    from descend.formula.parser import parse
    from descend.solvers.history import History
    from descend.solvers.recipe import Recipe
    from descend.tables.open import read
    from descend.tables.table import Table

_HOME = {
    "fit": "fitting.fit",
    "forecast": "fitting.forecast",
    "Forecast": "analysis.forecast",
    "trajectory": "fitting.forecast",
    "Trajectory": "fitting.forecast",
    "Finding": "analysis.diagnosis",
    "compare": "fitting.compare",
    "Comparison": "analysis.comparison",
    "Model": "fitting.model",
    "load": "fitting.model",
    "History": "solvers.history",
    "Table": "tables.table",
    "read": "tables.open",
    "parse": "formula.parser",
    "from_sklearn": "estimators.interop",
    "DescentRegressor": "estimators",
    "DescentClassifier": "estimators",
    "ModuleRegressor": "estimators",
    "ModuleClassifier": "estimators",
    "DescendError": "base.errors",
    "TableError": "base.errors",
    "FormulaError": "base.errors",
    "DesignError": "base.errors",
    "OptionError": "base.errors",
    "FitError": "base.errors",
    "DivergedError": "base.errors",
    "ModelError": "base.errors",
    "ClusterError": "base.errors",
    "InterruptedFitError": "base.errors",
    "Recipe": "solvers.recipe",
    "Verification": "analysis.verification",
}

__all__ = [
    "ClusterError",
    "Comparison",
    "DescendError",
    "DescentClassifier",
    "DescentRegressor",
    "DesignError",
    "DivergedError",
    "Finding",
    "FitError",
    "Forecast",
    "FormulaError",
    "History",
    "InterruptedFitError",
    "Model",
    "ModelError",
    "ModuleClassifier",
    "ModuleRegressor",
    "OptionError",
    "Recipe",
    "Table",
    "TableError",
    "Trajectory",
    "Verification",
    "__version__",
    "compare",
    "fit",
    "forecast",
    "from_sklearn",
    "load",
    "parse",
    "read",
    "trajectory",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'descend' has no attribute {name!r}")
    value = getattr(import_module(f"descend.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
