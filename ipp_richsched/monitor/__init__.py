"""What an event log tells."""
