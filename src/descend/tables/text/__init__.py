"""Delimited text: its encoding, its lines, how it is cut into cells, and the numbers that its cells write."""
