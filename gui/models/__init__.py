"""Qt item models: read-only faces of the session's values; a click in a view becomes a gesture."""
