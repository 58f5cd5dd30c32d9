"""Alliances' files, what is told to them, and `sightline alliance`."""
