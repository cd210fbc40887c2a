"""Shapes that layers give, computed without Keras."""
