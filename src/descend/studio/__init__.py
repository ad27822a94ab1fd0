"""The studio: a page in the browser on which a hypothesis is watched while it learns."""
