"""Work on several variants: sweep, upgrade, bisect, accept, diff, push and pull."""
