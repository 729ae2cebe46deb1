"""Fitting: splits, batches, objectives, the phases and their loop."""
