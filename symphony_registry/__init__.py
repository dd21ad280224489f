"""Storage for agent applications, chosen by configuration."""
