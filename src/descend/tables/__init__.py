"""Tables, wherever their rows are: in memory, in files, in a database, on a cluster.

Takes the formula's names, to know which columns are asked for. Gives a ``table.Table`` that fits in memory or a
``scan.Scan`` that is read part by part, both through ``open``; the ``columns`` that a hypothesis needs; and the
``executors`` that read the parts. ``formats`` reads kinds of files, ``scans`` files
part by part, ``databases`` queries, ``cluster`` parts on other machines.
"""
