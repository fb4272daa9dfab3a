"""Programs that are copied into a bug report: they import nothing of trtbuild."""
