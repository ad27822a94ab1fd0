"""A loss over rows as a function of a flat vector of parameters.

Takes design matrices and targets. Gives ``losses``, the ``target`` with its family, and the ``objective.Objective``
that solvers ask: over rows in memory, over squared error's sufficient statistics (``quadratic``), over rows that are
read part by part, and over ``networks``. An objective never steps.
"""
