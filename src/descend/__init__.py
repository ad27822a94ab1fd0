"""descend: from a table to a tested equation, by gradient descent.

Everything public is listed here and imported only when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from descend._version import __version__

if TYPE_CHECKING:
    from descend.errors import (
        DescendError,
        DesignError,
        DivergedError,
        FitError,
        FormulaError,
        ModelError,
        OptionError,
        TableError,
    )
    from descend.fitting import fit
    from descend.formula import parse
    from descend.history import History
    from descend.model import Model, load
    from descend.selection import Comparison, compare
    from descend.tables import Table, read

_HOME = {
    "fit": "fitting",
    "compare": "selection",
    "Comparison": "selection",
    "Model": "model",
    "load": "model",
    "History": "history",
    "Table": "tables",
    "read": "tables",
    "parse": "formula",
    "DescendError": "errors",
    "TableError": "errors",
    "FormulaError": "errors",
    "DesignError": "errors",
    "OptionError": "errors",
    "FitError": "errors",
    "DivergedError": "errors",
    "ModelError": "errors",
}

__all__ = [
    "Comparison",
    "DescendError",
    "DesignError",
    "DivergedError",
    "FitError",
    "FormulaError",
    "History",
    "Model",
    "ModelError",
    "OptionError",
    "Table",
    "TableError",
    "__version__",
    "compare",
    "fit",
    "load",
    "parse",
    "read",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'descend' has no attribute {name!r}")
    value = getattr(import_module(f"descend.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
