"""Long-term memory, searched by meaning too."""
