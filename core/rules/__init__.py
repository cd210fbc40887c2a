"""How one weight array becomes another of a new shape: pure NumPy, one family of rules a file."""
