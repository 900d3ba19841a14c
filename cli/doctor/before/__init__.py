"""`doctor --before`: what would make a deployment, or its first call, fail."""
