"""The build: what is planned -> what was built, and what is said of it."""
