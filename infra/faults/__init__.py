"""Fault injection on the local stack, and the judge of its conversations."""
