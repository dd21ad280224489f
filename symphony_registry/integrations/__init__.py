"""What fits this package into other software. Nothing else here imports it."""
