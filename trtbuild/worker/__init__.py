"""The code that runs in a step's own process, executed by path in the step's environment."""
