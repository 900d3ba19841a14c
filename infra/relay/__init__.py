"""What gets the relay into its container: the bootstrap of the stock image, and an image of our own."""
