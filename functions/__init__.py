"""The Lambda handlers. Each is a few lines over `functions.core`, and imports only what it needs."""
