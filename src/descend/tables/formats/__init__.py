"""Kinds of files, and what is in them: one module a kind, and the letters, lines and numbers of text."""
