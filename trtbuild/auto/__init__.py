"""``precision=auto``: which parts of a network to compute in which precision, within a budget of accuracy."""
