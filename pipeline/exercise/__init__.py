"""Exercises: scenarios, what is injected, the sealed truth, a score for each team."""
