"""Bulk jobs: rows into the CRM, planned, exact, resumable, undoable."""
