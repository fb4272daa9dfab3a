"""Jobs that are not steps of a plan; a worker runs them like steps."""
