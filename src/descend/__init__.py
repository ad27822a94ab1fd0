"""descend: from a table to a tested equation, by gradient descent.

Everything public is listed here and imported only when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from descend._version import __version__

if TYPE_CHECKING:
    from descend.archive import load
    from descend.diagnosis import Finding
    from descend.errors import (
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
    from descend.fitting import fit
    from descend.foresight import Forecast
    from descend.formula import parse
    from descend.history import History
    from descend.interop import from_sklearn
    from descend.model import Model
    from descend.preview import Trajectory, forecast, trajectory
    from descend.reading import read
    from descend.recipe import Recipe
    from descend.selection import Comparison, compare
    from descend.tables import Table
    from descend.verification import Verification

_HOME = {
    "fit": "fitting",
    "forecast": "preview",
    "Forecast": "foresight",
    "trajectory": "preview",
    "Trajectory": "preview",
    "Finding": "diagnosis",
    "compare": "selection",
    "Comparison": "selection",
    "Model": "model",
    "load": "archive",
    "History": "history",
    "Table": "tables",
    "read": "reading",
    "parse": "formula",
    "from_sklearn": "interop",
    "DescentRegressor": "estimators",
    "DescentClassifier": "estimators",
    "ModuleRegressor": "estimators",
    "ModuleClassifier": "estimators",
    "DescendError": "errors",
    "TableError": "errors",
    "FormulaError": "errors",
    "DesignError": "errors",
    "OptionError": "errors",
    "FitError": "errors",
    "DivergedError": "errors",
    "ModelError": "errors",
    "ClusterError": "errors",
    "InterruptedFitError": "errors",
    "Recipe": "recipe",
    "Verification": "verification",
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
