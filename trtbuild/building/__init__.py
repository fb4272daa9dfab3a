"""The build: a plan -> its outcome, and the report on it."""
