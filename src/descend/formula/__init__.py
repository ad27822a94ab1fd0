"""The language of hypotheses: ``score ~ hours + log(age)``, and ``score = top * (1 - exp(-k * hours))``.

Takes errors and texts from ``base``. Gives ``parser.parse``, which turns a text into a Formula or an Equation and these
into a Hypothesis, the expressions it is made of (``ast``), their values, slopes and inverses (``evaluate``), their
derivatives in an equation's parameters (``tangents``) and which of these are linear (``separable``), how they are
written (``notation``, ``printing``), a formula changed by its terms (``edits``) and by the columns that a person
chooses (``roles``). Nothing here has seen a table.
"""
