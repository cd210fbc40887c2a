"""The only room that imports Keras: shapes, plans, rebuilding, verification."""
