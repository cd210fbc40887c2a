"""Questions beside an edit: fates, mismatches, losses, differences. One answer for every face."""
