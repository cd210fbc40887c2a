"""Dialogs and sheets; none of them blocks the window."""
