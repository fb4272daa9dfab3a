"""The pure core: standard library only, no effect, no heavy import."""
