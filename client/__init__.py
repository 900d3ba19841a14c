"""Clients of Vivavoce's own protocol, one folder per language."""
