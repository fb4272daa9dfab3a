"""Output deviation: how far outputs move on each hop, and whose fault it is."""
