"""What is done with many variants: sweep, upgrade, bisect, accept, diff."""
