"""What a deployment costs a month, as a function of how much is talked."""
