"""The reader and engine processes, and how the window talks to them."""
