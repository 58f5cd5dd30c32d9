"""Alerts to campaigns: what belongs together, by what evidence. Pure: values in, values out."""
