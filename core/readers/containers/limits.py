"""How much a file may ask for before it is refused: honest model files stay far below every one of these."""

MAX_JSON_BYTES = 96 * 2**20
"""Text of a model config or other JSON, unpacked."""

MAX_ARRAY_EXPANSION = 1000
"""How many times more bytes an array may declare than are stored for it (compressed HDF5 reaches about 1000)."""

ARRAY_FLOOR_BYTES = 16 * 2**20
"""Arrays up to this size are never suspected."""

MAX_MEMBER_BYTES = 64 * 2**30
"""A compressed weights member, unpacked to a temporary file."""

MAX_MEMBER_EXPANSION = 200
"""How many times larger than its stored form a compressed archive member may be."""

MAX_ARRAYS = 1_000_000
"""Entries of one weight file."""
