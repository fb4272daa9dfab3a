"""Jobs that are no steps of a plan; a worker runs them like steps."""
