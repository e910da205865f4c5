"""Loop, optimiser, mining, checkpoints, devices."""
