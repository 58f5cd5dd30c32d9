"""Campaigns to files, feeds and servers of others."""
