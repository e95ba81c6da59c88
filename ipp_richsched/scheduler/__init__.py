"""The process of the scheduler: its settings, its loop and its sockets."""
