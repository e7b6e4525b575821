"""Fitting and judging the starter models."""
