"""The packaged cases, a file for each category: the file name is the category."""
