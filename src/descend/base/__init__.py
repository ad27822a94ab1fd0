"""The lowest floor: helpers that know nothing of tables or models.

Imports no other floor. Holds errors and their sentences in both languages (``errors``, ``messages``), checks of
arguments, atomic writing of files (``atomic_files``, ``container``), sums in double-double arithmetic
(``double_double``, ``double_functions``, ``reductions``), moments of columns, threads, and the available memory.
"""
