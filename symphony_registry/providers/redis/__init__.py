"""Redis and Valkey: connections, scripts and keys for the providers named `redis`."""
