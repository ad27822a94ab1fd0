"""The language of hypotheses: ``score ~ hours + log(age)``.

Takes errors and texts from ``base``. Gives ``parser.parse``, which turns a text into a Hypothesis, the expressions it
is made of (``ast``), and their values, slopes and inverses (``evaluate``). Nothing here has seen a table.
"""
