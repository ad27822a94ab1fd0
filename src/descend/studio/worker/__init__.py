"""The process in which a tab's table is read and fitted: ``parent`` asks, ``child`` does, on its ``session``."""
