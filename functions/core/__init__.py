"""Logic of the handlers, over ports: the table, the gateway, the launcher, the minter and the clock."""
