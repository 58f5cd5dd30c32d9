"""The embedded broker, for trying Sightline out with nothing but pip.

It is the mock cluster inside librdkafka, which the confluent-kafka wheel carries: one process that
speaks Kafka's protocol on a free loopback port and keeps everything in memory. It is made to test
clients, not to keep data, and this is what that means (librdkafka 2.16.0, measured):

- A topic appears when a metadata request first names it, always with 4 partitions. There is no
  CreateTopics, DeleteTopics or DescribeConfigs: an admin client times out.
- A partition keeps 5 MiB as sent, so compressed; then its oldest batches go, whether they were
  read or not: 40 records of 500 kB left 10. Nothing is compacted. The newest batch always stays,
  and 8 MB were taken in one.
- A fetch returns one produced batch, so a producer that lingers and packs reads far faster.
- JoinGroup up to version 6, OffsetCommit 9, Produce 10, Fetch 16, Metadata 13, InitProducerId 4:
  classic groups and idempotent producers of aiokafka work. Transactions are answered but mean
  nothing: a read_committed consumer saw an aborted record.
- A produce response carries the made-up time 1234; the record keeps its own.
- The cluster listens on 127.0.0.1, on a port it chooses. Committed offsets, like all else, are
  forgotten at exit.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from confluent_kafka import KafkaException, Producer

from pipeline.shell.processes import exit_with_parent

PARTITIONS = 4
"""Of every topic; librdkafka offers no setting for it."""


def run(*, watch_stdin: bool = False) -> int:
    """Serve in the foreground until SIGINT or SIGTERM, or with `watch_stdin` the end of stdin.

    Prints `ready HOST:PORT` on stdout when clients may connect. Returns the exit status.
    """
    # Blocked before any thread is started, for threads inherit the mask: only sigwait takes them.
    stops = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    exit_with_parent()
    try:
        # Kept alive by its name: the cluster lives in this handle. log_level 3: errors only.
        cluster = Producer({"test.mock.num.brokers": 1, "log_level": 3})
        brokers = cluster.list_topics(timeout=10).brokers
    except KafkaException as error:
        print(f"sightline: the embedded broker did not start: {error}", file=sys.stderr)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return 1
    broker = next(iter(brokers.values()))
    print(f"ready {broker.host}:{broker.port}", flush=True)
    if watch_stdin:
        threading.Thread(target=_stop_at_end_of_stdin, name="stdin", daemon=True).start()
    signal.sigwait(stops)
    del cluster
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return 0


def _stop_at_end_of_stdin() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pipeline.shell.embedded", description=__doc__)
    parser.add_argument("--watch-stdin", action="store_true", help="stop when stdin ends")
    return run(watch_stdin=parser.parse_args().watch_stdin)


if __name__ == "__main__":
    sys.exit(main())
