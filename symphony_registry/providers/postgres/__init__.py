"""PostgreSQL: connections, tables, documents and filters for the providers named `postgres`."""
