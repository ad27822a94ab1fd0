"""Families: what a target is, how the linear predictor becomes its prediction, and how a prediction is scored.

A family is one object in ``FAMILIES``, one file each. The rest of the program asks it and compares no names.
"""

from __future__ import annotations

from descend.objectives.families._family import FAMILIES, Family, TargetColumn, recognise_family

__all__ = ["FAMILIES", "Family", "TargetColumn", "recognise_family"]
