"""A real Apache Kafka on this machine: one KRaft node, on loopback, in the foreground.

The JVM is our child: we write its settings, say `ready` when it answers, and stop it. Measured with
Kafka 4.3.0 on two cores: formatting 0.9 s, ready 1.8 to 2.2 s after the start of the JVM, a clean
stop 0.3 s. (Compiling with C1 alone: ready 0.3 s sooner, and slower ever after.)
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from queue import Empty, SimpleQueue

from pipeline.shell.access import broker_security
from pipeline.shell.kafka_install import (
    INSTALL_HINT,
    BrokerFailed,
    call,
    deployed,
    fetch_jars,
    find_java,
    missing_for_kafka,
)
from pipeline.shell.ports import HOST, free_port
from pipeline.shell.processes import exit_with_parent, until
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import Settings, WrongUseError

__all__ = ["INSTALL_HINT", "BrokerFailed", "KafkaBroker", "missing_for_kafka", "run"]

PORT = 9092
# A broker for one machine, most often for minutes: what the second compiler and G1's threads take
# from the workers' cores is more than they give back (1.6 -> 0.8 CPU s a million events).
_JVM = (
    *("-Xms256m", "-Xmx768m", "-XX:+ExitOnOutOfMemoryError"),
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
)
_READY_WITHIN = 120.0  # s
_GRACE = 10.0  # s from SIGTERM to SIGKILL

# Ends the JVM ($1) when we are gone, which is when its stdin ends: a pipe works where
# PR_SET_PDEATHSIG does not. $2 is a directory to remove afterwards, or empty.
_WATCHDOG = """\
read -r _
kill -TERM "$1" || exit
n=0; while [ $n -lt 10 ] && kill -0 "$1"; do sleep 1; n=$((n + 1)); done
kill -KILL "$1"
[ -z "$2" ] || rm -rf -- "$2"
"""


def _usable(port: int) -> int:
    """The port for clients, a free one for 0."""
    if not port:
        return free_port()
    with socket.socket() as clients:
        clients.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            clients.bind((HOST, port))
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise BrokerFailed(
                f"port {port} of {HOST} cannot be had: {why}; choose another, or 0 for a free one"
            ) from None
    return port


class KafkaBroker:
    """One Kafka on one directory and port: `prepare`, `start`, `serve`, and always `stop`."""

    def __init__(
        self, directory: Path, port: int, *, temporary: bool = False, secure: bool = False
    ) -> None:
        self.directory = directory.resolve()
        self.port = port
        self.secure = secure
        self.stopping: SimpleQueue[bool] = SimpleQueue()
        """Put True to have `serve` return. (The end of the JVM puts False.)"""
        self._log = self.directory / "kafka.log"
        self._log_start = 0
        self._temporary = temporary
        self._lock = -1
        self._command: list[str] = []
        self._cluster = ""
        self._watchdog: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Everything short of running: the lock, ports, jars, settings, a formatted storage."""
        if missing := missing_for_kafka():
            hint = INSTALL_HINT.replace("\n", "; ")
            raise BrokerFailed(f"Kafka needs {' and '.join(missing)}. {hint}")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        # StorageTool writes meta.properties last: where it stands, formatting was completed.
        meta = self.directory / "data" / "meta.properties"
        broker_security.refuse_a_change(
            self.directory, secure=self.secure, formatted=meta.is_file()
        )
        self.port = _usable(self.port)
        controller, internal = free_port(), free_port()
        java = find_java()
        assert java is not None
        log4j = f"-Dlog4j2.configurationFile={deployed('log4j2.xml')}"
        self._command = [java, *_JVM, log4j, "-cp", f"{fetch_jars()}/*"]
        listeners = (
            f"listeners=PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{controller}\n"
            f"advertised.listeners=PLAINTEXT://{HOST}:{self.port}\n"
        )
        if self.secure:
            broker_security.prepare(self.directory, HOST, self.port)
            listeners = broker_security.properties(HOST, self.port, internal, controller)
        # A static quorum of one: its address stands here only, so each start takes a free port.
        (self.directory / "server.properties").write_text(
            f"{deployed('server.properties').read_text('utf-8')}\n"
            f"{listeners}"
            f"controller.quorum.voters=1@{HOST}:{controller}\n",
            "utf-8",
        )
        if not meta.is_file():
            cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
            tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster]
            if self.secure:
                tool.append(f"@{broker_security.format_arguments(self.directory)}")
            call([*self._command, *tool, "-c", "server.properties"], self.directory)
            broker_security.forget_arguments(self.directory)
        found = re.search(r"^cluster\.id=(\S+)", meta.read_text("utf-8"), re.MULTILINE)
        self._cluster = found[1] if found else ""

    def start(self) -> None:
        """Start the JVM, and what ends it should we be killed."""
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        with (self.directory / "kafka.out").open("wb") as output:
            self._jvm = subprocess.Popen(
                [*self._command, "kafka.Kafka", "server.properties"],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(self._lock,),
                start_new_session=True,  # Ctrl-C is for us; we stop the JVM
            )
        (self.directory / "jvm.pid").write_text(f"{self._jvm.pid}\n", "utf-8")
        self._ended = threading.Thread(target=self._await_end, name="jvm", daemon=True)
        self._ended.start()
        remove = str(self.directory) if self._temporary else ""
        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, "watchdog", str(self._jvm.pid), remove],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def serve(self) -> None:
        """Print `ready` when Kafka answers; return when told to stop. `BrokerFailed` if it ends."""
        deadline = time.monotonic() + _READY_WITHIN
        stop = None
        while stop is None and not self._answers():
            if time.monotonic() > deadline:
                raise BrokerFailed(f"Kafka does not answer {_READY_WITHIN:g} s after its start")
            try:
                stop = self.stopping.get(timeout=0.05)
            except Empty:
                continue
        if stop is None:
            print(f"ready {HOST}:{self.port}", flush=True)
            stop = self.stopping.get()
        if not stop:
            raise BrokerFailed(self._why())

    def stop(self) -> None:
        """End the JVM, by SIGTERM or after a while by SIGKILL, and let go of the directory."""
        if hasattr(self, "_ended"):
            self._jvm.terminate()
            self._ended.join(_GRACE)
            self._jvm.kill()
            self._ended.join()
        if self._watchdog:
            self._watchdog.kill()
            self._watchdog.communicate()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _await_end(self) -> None:
        self._jvm.wait()
        self.stopping.put(False)

    def _take_lock(self) -> None:
        # Kafka's own lock comes too late: a second node appends to the first one's metadata log
        # before it asks for it, and the first then spins for ever. This one is a flock, which the
        # JVM inherits: it is free when both we and the JVM are gone.
        self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

        def locked() -> bool:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        try:  # a JVM whose parent was killed needs a moment
            until(locked, "the lock is free", within=5.0)
        except TimeoutError:
            raise BrokerFailed(f"{self.directory} is in use by another broker") from None

    def _answers(self) -> bool:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        try:  # first, since librdkafka would complain on stderr
            socket.create_connection((HOST, self.port), timeout=1.0).close()
            client = AdminClient(for_librdkafka(self._settings()))
            answer = client.list_topics(timeout=1.0)
        except (OSError, KafkaException):
            return False
        return bool(answer.brokers) and answer.cluster_id == self._cluster

    def _settings(self) -> Settings:
        if self.secure:
            return broker_security.admin_settings(self.directory)
        return Settings(broker=f"{HOST}:{self.port}")

    def _why(self) -> str:
        """Why the JVM ended, in one line: the first exception in what it logged lately."""
        status = self._jvm.returncode
        how = f"status {status}" if status >= 0 else signal.Signals(-status).name
        said: list[str] = []
        for path, start in ((self._log, self._log_start), (self.directory / "kafka.out", 0)):
            if path.exists():
                text = path.read_bytes()[start:][-16384:].decode(errors="replace")
                said += [line for line in text.splitlines() if line.strip()]
        thrown = [line for line in said if re.match(r"[\w.$]+(Exception|Error): ", line)]
        last = (thrown[:1] or said[-1:] or ["it logged nothing"])[0]
        where = "" if self._temporary else f" (more in {self._log})"
        return f"Kafka ended with {how}: {last}{where}"


def run(directory: Path | None, port: int, *, secure: bool = False) -> int:
    """Run Kafka until SIGINT or SIGTERM; `ready HOST:PORT` on stdout says that it can be used.

    Without a directory it keeps nothing. Port 0 takes a free one. Returns the exit status.
    """
    if secure and directory is None:
        raise WrongUseError("--secure needs --dir: the admin's password is kept there")
    exit_with_parent()
    # While it prepares, a signal interrupts; once there is a JVM, it is a word to `serve`.
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    broker = KafkaBroker(
        directory or Path(tempfile.mkdtemp(prefix="sightline-kafka-")),
        port,
        temporary=directory is None,
        secure=secure,
    )
    try:
        broker.prepare()
        for number in before:
            signal.signal(number, lambda *_: broker.stopping.put(True))
        broker.start()
        broker.serve()
    except KeyboardInterrupt:
        return 0
    except (BrokerFailed, OSError) as error:
        print(f"sightline: {error}", file=sys.stderr)
        return 1
    finally:
        broker.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m pipeline.shell.broker")
    parser.add_argument("--dir", type=Path, help="keeps the data; default: keep nothing")
    parser.add_argument("--port", type=int, default=PORT, help="0: a free one")
    parser.add_argument("--secure", action="store_true", help="TLS, logins, access control")
    arguments = parser.parse_args()
    return run(arguments.dir, arguments.port, secure=arguments.secure)


if __name__ == "__main__":
    sys.exit(main())
