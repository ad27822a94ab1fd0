"""The first reading of a scan: all that a design, squared error and a test need of its rows, in one pass."""
