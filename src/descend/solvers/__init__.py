"""Solvers: each takes an objective and a start and returns a History; none asks which objective it holds."""
