"""From a table and a formula to a model.

Takes every floor below. Gives ``fit.fit``, ``forecast.forecast`` and ``trajectory``, ``compare.compare``, and
``model.Model`` with ``load``. ``fit`` states a hypothesis as a ``problem.Problem``, trains it, assesses the
run and tests it. The rows of a scan are read part by part, first by a ``survey``.
"""
