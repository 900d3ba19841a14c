"""The whole system on one machine, from the template that deploys it: `infra.local.stack.LocalStack`.

Nothing is imported here: moto's process runs a module of this package and needs none of the others.
"""
