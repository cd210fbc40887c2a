"""Which stored array belongs to which layer, and what is done to it first."""
