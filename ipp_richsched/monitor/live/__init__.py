"""What happens to single tasks, taken in as it happens: a model for pages that show it."""
