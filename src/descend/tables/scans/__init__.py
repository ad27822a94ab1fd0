"""Files as scans: how they are opened, cut into parts and read part by part, any number of times."""
