"""Files that are read part by part, again and again, and never held whole: how they are found, opened and cut."""
