"""What this machine and its GPU are."""
