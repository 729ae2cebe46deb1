"""Fitting: splits, batches, objectives, the two phases and their loop."""
