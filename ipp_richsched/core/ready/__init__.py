"""Tasks that are ready and have no engine: the one place that decides which is next."""
