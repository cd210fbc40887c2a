"""What several edits share: channels, kernels, heads, grids, tables of positions, contracts."""
