"""One job of the window a file: opening, exporting, trust, the layer menu, ..."""
