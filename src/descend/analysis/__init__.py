"""What mathematics says about a fit, before and after it.

Takes objectives and solvers. Gives the ``forecast`` of a run, ``certificates`` of how far the optimum is,
``inference`` (standard errors, intervals), the test on unseen rows (``verification``, ``metrics``, ``verdicts``),
``separation`` of classes, least squares to the last digit, and the ``diagnosis``: findings with their remedies.
"""
