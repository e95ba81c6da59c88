"""What a user of the scheduler has in hand: `RichView`, and requests of its own."""
