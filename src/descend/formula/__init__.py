"""The language of hypotheses: ``score ~ hours + log(age)``.

Takes errors and texts from ``base``. Gives ``parser.parse``, which turns a text into a Hypothesis, the expressions it
is made of (``ast``), their values, slopes and inverses (``evaluate``), how they are written (``notation``), a formula
changed by its terms (``edits``) and by the columns that a person chooses (``roles``). Nothing here has seen a table.
"""
