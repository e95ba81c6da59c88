"""How things stand, live in a terminal: ``ipp-richsched top``."""
