"""The client: one typed method per operation, and the iterators of queries and changes."""
