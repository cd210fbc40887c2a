"""Recipes, and what a gesture or a typed value does to one. No Qt."""
