"""Workflows: read from files, run on a cluster, compared with the best that was possible."""
