"""What comes back: records, and what the instance says of itself. Pure, no I/O."""
