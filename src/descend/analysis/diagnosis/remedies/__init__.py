"""Remedies: the changes of formula, settings and reading that mend what a fit, a file or a statement shows.

``case`` holds what a remedy is made from. ``run``, ``terms``, ``settings`` and ``reading`` make the changes, which the
kinds of findings name; ``registry`` holds the remedies of notes and errors by their codes.
"""
