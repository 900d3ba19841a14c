"""Bad lines and dead processes around the local stack, and the judge of what came through them."""
