"""Telling what a fit did: in the terminal, as JSON, as HTML and as pictures."""
