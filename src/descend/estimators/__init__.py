"""scikit-learn estimators; importing this imports scikit-learn, which is an extra."""

from descend.base.errors import OptionError

try:
    import sklearn  # type: ignore[import-untyped]  # noqa: F401
except ImportError as error:
    raise OptionError("option.needs-extra", package="scikit-learn", extra="sklearn") from error

from descend.estimators.linear import DescentClassifier, DescentRegressor
from descend.estimators.modules import ModuleClassifier, ModuleRegressor

__all__ = ["DescentClassifier", "DescentRegressor", "ModuleClassifier", "ModuleRegressor"]
