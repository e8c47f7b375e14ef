"""Mirrors: modules of a CRM kept in a database, in files or in a stream, and nothing lost."""
