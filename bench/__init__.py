"""Where the figures in docs/ are made. Each file is one figure and one command."""
