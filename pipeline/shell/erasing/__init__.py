"""Forgetting: from the broker's topics, and from what lies on this machine."""
