"""What every product behind a server needs: connections that are shared, attempts, packing."""
