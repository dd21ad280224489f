"""The embedded checkpoint store: JSON text in the order saved."""
