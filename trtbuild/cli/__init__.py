"""The command line: words to a verb, errors to one line and an exit status."""
