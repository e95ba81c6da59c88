"""Frames to events and back, and what may stand in a message that comes in."""
