"""Arrays of samples: read, streamed, kept in files."""
