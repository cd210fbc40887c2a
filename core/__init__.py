"""Suture's engine room: everything that is not a window. No Qt anywhere below."""

__version__ = "0.1.0"
