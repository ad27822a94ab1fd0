"""Findings: what the numbers of a fit say about the data and the hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]


def separated(Z: Floats, Y: Floats) -> bool:
    """Tell whether the linear predictor puts every row on its own class's side, so that the loss has no minimum.

    Z is rows x outputs and Y rows x 1 of class codes. That all margins are positive proves it; that some are not
    proves nothing.
    """
    codes = Y[:, 0].astype(np.intp)
    if Z.shape[1] == 1:
        return bool((np.where(codes == 1, Z[:, 0], -Z[:, 0]) > 0).all())
    own = np.take_along_axis(Z, codes[:, None], axis=1)[:, 0]
    others = Z.copy()
    others[np.arange(len(Z)), codes] = -np.inf
    return bool((own > others.max(axis=1)).all())
