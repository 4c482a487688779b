"""See `libs`."""
