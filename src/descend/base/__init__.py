"""What every floor stands on, and nothing of tables or models.

Takes nothing from other floors. Gives errors and their sentences in both languages (``errors``, ``messages``), checks
of arguments, files that are written whole or not at all (``atomic_files``, ``container``), sums with twice float64's
digits (``double_double``, ``reductions``), moments of columns, threads, how much memory there is, and the types that
every floor names (``typing``).
"""
