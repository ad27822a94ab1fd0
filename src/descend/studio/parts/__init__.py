"""The parts of the page: each builds its widgets once and updates them after a change."""
