"""Containers that nobody vouches for: zip, HDF5, protocol buffers, checkpoints, JSON."""
