"""The pure core: standard library only, no side effects, no heavy imports."""
