"""Bulk jobs: rows into the CRM, planned, exact, resumable, undoable."""

from __future__ import annotations
