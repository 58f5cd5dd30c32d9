"""The rule that the tests on a broker, and those of the whole data set, run with."""

THREE_COUNTRIES = """
title: One source in three countries within an hour
id: 0a4a7a1e-9d52-4b3c-8a55-0d9d7f3f2b01
correlation:
  type: value_count
  rules: [any_event]
  group-by: [ip]
  timespan: 1h
  condition: {field: country, gte: 3}
level: medium
"""
