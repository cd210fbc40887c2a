"""The window: Qt only. It knows the engine's values, never Keras and never the inside of a file."""
