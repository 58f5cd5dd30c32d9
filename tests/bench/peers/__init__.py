"""The benchmark's job in other stream engines, as an experienced user of each would write it.

`python -m tests.bench.peers` (`make peers`) installs each engine, pinned, into an environment of
its own under `.peers/`, feeds it what `sightline bench` generates, from one preloaded topic of a
Kafka started for it, and holds what it says against the same oracle. Nothing here is a dependency
of the project, and nothing of the project but `processes` is imported by the engines' processes.
"""
