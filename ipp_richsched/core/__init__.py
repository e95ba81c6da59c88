"""Every decision of the scheduler, and nothing else.

The core imports the standard library only.  It has no socket, no loop, no clock and no
log: events go in, actions come out, and the time is an argument.
"""
