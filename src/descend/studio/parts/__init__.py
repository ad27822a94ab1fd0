"""The parts of the page: each builds its widgets once and shows anew what changed."""
