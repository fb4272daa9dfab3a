"""One file for each model with all that a device needs to execute its engines and compare their outputs."""
