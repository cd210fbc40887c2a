"""The panels around the graph: each edits one thing, by gestures on the recipe."""
