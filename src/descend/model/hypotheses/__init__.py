"""The kinds of fitted hypotheses, a module each, which add themselves to ``model.hypothesis.HYPOTHESES``."""
