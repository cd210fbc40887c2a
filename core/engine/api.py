"""The engine's door: what the command line, the engine process and tests call."""
