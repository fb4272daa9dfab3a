"""Layer-by-layer inspection: the error of every intermediate tensor."""
