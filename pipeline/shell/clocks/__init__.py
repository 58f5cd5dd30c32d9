"""Notification clocks: what persons did, written down; by when what is due; drafts to send."""
