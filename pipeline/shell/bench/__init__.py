"""The benchmark, in the order in which it happens.

`load` says what is run, `data` makes the events, `truth` counts the alerts that they must lead to,
`kafka` puts them on their topics, `ceiling` reads them and does nothing else, `run` has the
workers read them, `cost` says what that took, `profile` where it went, `latency` how soon a single
event becomes an alert, `table` runs all of it once for every factor.
"""
