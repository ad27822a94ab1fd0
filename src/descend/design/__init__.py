"""From columns to a design matrix.

Takes columns and the terms of a formula. Gives ``matrix.Design``, which is learnt on the fitted rows and makes the same
columns of any others, and the ``encodings`` of single factors: a number, a category, a polynomial, an image.
"""
