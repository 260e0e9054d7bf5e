"""One file per model family; each registers itself when it is imported, and imports its library only on use."""
