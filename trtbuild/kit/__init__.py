"""What several steps share; imported inside a step's run() only, since most of it needs a heavy package."""
