"""The embedded vector store: exact search over a matrix in memory."""
