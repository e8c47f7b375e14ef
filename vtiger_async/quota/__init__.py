"""The quota: which calls may be made now, and when the next may. Pure, no clock of its own."""
