"""The road from a table and a formula to a model.

Takes every floor below. Gives ``fit.fit``, ``forecast.forecast`` and ``trajectory``, ``compare.compare``, and
``model.Model`` with ``load``. A hypothesis on a table in memory is a ``problem.Problem``; on a scan its rows are read
part by part, first by a ``survey``.
"""
