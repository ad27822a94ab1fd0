"""The studio: a local page on which a hypothesis learns; needs the extra ``studio``."""
