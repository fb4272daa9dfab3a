"""Artifacts to and from DVC remotes: found by key or record, verified before they are used."""
