"""One call's way to the server and back: admit, authenticate, send, observe, decode, retry."""
