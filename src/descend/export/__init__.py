"""A fitted model in the form of other libraries.

Takes models. Gives ``sklearn.to_sklearn``.
"""
