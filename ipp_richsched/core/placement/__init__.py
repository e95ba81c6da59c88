"""Ready tasks and engines with room are brought together; what becomes of the others."""
