"""How things stand, live in a browser: ``ipp-richsched dashboard``."""
