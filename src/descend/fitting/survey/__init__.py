"""What one reading of a scan finds of its rows, and what is learnt from that."""
