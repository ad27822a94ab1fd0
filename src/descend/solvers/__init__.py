"""From an objective to a minimum: settings, updates, and the record of a run.

Takes objectives, whose rows may be anywhere; solvers ask an objective and its loss for what they need (``resident``,
``quadratic``, ``cornered``), and not which one it is. Gives the settings (``recipe``), ``optimizers`` and
``schedules``, ``dispatch.solve``, which chooses a solver and runs it, the ``history`` of a run, runs in closed form
(``closed_form``), ``rates``, ``run_options`` and checkpoints. Modules whose names begin with _ are single solvers and
their parts.
"""
