"""The worker, the process that reads and fits a tab's table: ``parent`` calls, ``child`` answers, ``session`` works."""
