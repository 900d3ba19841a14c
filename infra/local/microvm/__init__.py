"""AWS Lambda MicroVMs on this machine: the API by botocore's model, a process for each VM, the proxy."""
