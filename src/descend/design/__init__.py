"""From columns to a design matrix.

Takes columns and the terms of a formula. Gives ``matrix.Design``, which is learnt on the fitted rows and makes the same
columns of any others, and ``encodings``, a kind a module: how a number, a category, a polynomial or an image becomes
columns.
"""
