"""Vivavoce's own protocol: what client and server say to each other, and nothing else.

Pure: no I/O, no clock, no logger. The text is PROTOCOL.md and REFERENCE.md, the error codes ERRORS.md.
"""
