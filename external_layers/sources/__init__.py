"""Outside sources: one file each, listed in `registry`."""
