"""Fitting and judging the network of `densight.anatomy`."""
