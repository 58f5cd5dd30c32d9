"""Sensors' native logs to events: one small module a format, over one table engine.

In the order of reading: `instant` and `value` read single fields; `table` says which native field
becomes which OCSF attribute, and `mapper` does it; `record` cuts a file into records; a module for
each format; `catalogue` lists them; `conversion` is what the shell calls.
"""
