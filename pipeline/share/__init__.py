"""Campaigns to what others may have of them, in their formats. No I/O here."""
