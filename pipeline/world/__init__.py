"""Labelled worlds: sensors, what they say, and what is true of it. Pure: a seed in, bytes out."""
