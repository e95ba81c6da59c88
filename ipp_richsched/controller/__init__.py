"""The controller that launches the scheduler, and the ways to switch it on."""
