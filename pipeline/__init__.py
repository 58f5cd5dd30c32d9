"""Sightline: streaming cross-border attack correlation.

The way of the data is the table of contents: event, decode, indicator, sight, window,
correlate, alert. These modules are the core, pure and synchronous; `pipeline.shell` is
where Faust, Kafka, files and the clock live.
"""

__version__ = "0.1.0"
