"""The registered engines: which there are, what they hold, and the choice among them."""
