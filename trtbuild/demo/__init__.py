"""Models and data to try the build system on; nothing else in the package imports this."""
