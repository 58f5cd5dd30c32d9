"""Workers: one process a stage, and a supervisor that keeps them running.

Stages are processes of their own, so that each has a core, and a bug in one ends that one only.
A stage that ends by itself is started again after a pause that doubles, up to half a minute.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from pipeline.registry import Registry
from pipeline.shell import files, metrics_server, topic_config, topics
from pipeline.shell.health import Health, starts
from pipeline.shell.metrics import STAGE_RESTARTS, STAGE_VARIABLE
from pipeline.shell.metrics_folder import metrics_folder
from pipeline.shell.notify import sources
from pipeline.shell.plain_log import PlainFormatter
from pipeline.shell.printable import printable_lines
from pipeline.shell.processes import Child, ChildFailed, exit_with_parent
from pipeline.shell.registry_watch import RegistryWatch
from pipeline.shell.settings import FailedError, Settings, load
from pipeline.surprise import background

STAGES = ("intake", "correlate", "campaign")
SHARE = "share"
"""Only where somebody is to be told."""
ALLIANCES = "alliances"
"""Only where there is a folder of them."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0  # a stage that ran this long begins again with the first pause
GRACE_S = 10.0
_MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"

log = logging.getLogger("sightline")


def configure_logging() -> None:
    """Ours from INFO, Faust's and aiokafka's from WARNING; to stderr, one line a record."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # An exception's text may hold what a sensor sent: it is not printed as it is either.
    sys.excepthook = lambda *raised: log.critical("this process ends", exc_info=raised)
    log.setLevel(logging.INFO)
    # Every rebalance makes these warn of what is its ordinary course.
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.ERROR)
    logging.getLogger("aiokafka.consumer.group_coordinator").addFilter(
        lambda record: "Group Coordinator Request failed" not in record.msg  # it asks again
    )
    logging.getLogger("faust").setLevel(logging.ERROR)


def stages_of(settings: Settings) -> tuple[str, ...]:
    """All that these settings call for."""
    told = ((SHARE, sources.are_set(settings)), (ALLIANCES, bool(settings.alliances)))
    return (*STAGES, *(stage for stage, is_set in told if is_set))


def supervise(settings: Settings, stages: tuple[str, ...], *, restart: bool) -> int:
    """Run stages until SIGTERM or SIGINT; with `restart` off, until one ends, with its status.

    1 if a stage did not end well when it was told to.
    """
    watch = RegistryWatch(settings)
    asyncio.run(topics.ensure(watch.registry, settings))
    _warn_of_topics(topics.wanted(watch.registry, settings), settings)
    files.rules_of(Path(settings.rules) if settings.rules else None, settings)
    stop = threading.Event()
    if settings.exercise:
        from pipeline.shell.exercise.switch import heed  # no other lane has one

        heed(settings, stop)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with metrics_folder() as folder:
        health = Health(folder, stages)
        metrics_server.serve(settings, folder, health)
        keepers = [_Keeper(stage, settings, folder) for stage in stages]
        try:
            for keeper in keepers:
                keeper.start()
            _say_ready(keepers, stop)
            status = _watch(keepers, stop, watch, health, restart=restart)
        finally:
            for keeper in keepers:
                keeper.child.ask_to_stop()
            ends = [keeper.stop() for keeper in keepers]
        # One that is told to stop before it listens ends by the signal itself.
        return status or int(any(end not in {0, -signal.SIGTERM} for end in ends))


def _warn_of_topics(wanted: list[topics.Wanted], settings: Settings) -> None:
    """A warning, not an end: a topic may be someone else's, and what came is still to be read."""
    found = topic_config.check(settings, wanted)
    if isinstance(found, str):
        log.info("topics' configuration could not be checked: %s", found)
        return
    for mismatch in found:
        log.log(logging.WARNING if mismatch.grave else logging.INFO, "topic %s", mismatch)
    if any(mismatch.grave for mismatch in found):
        log.warning("`sightline topics` says how to mend that, with --apply it does")


class _Keeper:
    """One stage's process, and when it may be started again."""

    def __init__(self, stage: str, settings: Settings, folder: Path) -> None:
        self.stage = stage
        self._environment = settings.environment() | {
            _MULTIPROCESS: str(folder),
            STAGE_VARIABLE: stage,
        }
        self._folder = folder
        self._pause = FIRST_PAUSE_S
        self._started = 0.0
        self.again_at: float | None = None
        self._renew_until: float | None = None
        STAGE_RESTARTS.labels(stage)  # from 0: the first restart is an increase, too

    def start(self) -> None:
        self._started = time.monotonic()
        self.again_at = None
        starts(self._folder, self.stage)
        self.child = Child(
            "-m",
            "pipeline.shell.worker",
            self.stage,
            environment=self._environment,
            ready_within=None,
            name=self.stage,
            log="inherit",
        )
        self.child.start()

    def renew(self) -> None:
        """Have it end, and come again with the new registry."""
        log.info("%s starts again: the registry has changed", self.stage)
        self._renew_until = time.monotonic() + GRACE_S
        # Intake leaves its group: a broker gives a member that it knows its old partitions back,
        # though it asks for other topics now. Correlate's topics are the same.
        self.child.signal(signal.SIGTERM if self.stage == "intake" else signal.SIGHUP)

    def renewed(self) -> bool:
        """Whether it is being renewed; if it has ended, it is started."""
        if self._renew_until is None:
            return False
        if self.child.running:
            if time.monotonic() > self._renew_until:
                self.child.kill()
            return True
        self.child.wait(GRACE_S)
        mark_process_dead(self.stage, str(self._folder))
        self._renew_until = None
        self.start()
        return True

    def ended(self) -> int:
        """Note that the process has ended; its exit status."""
        status = self.child.wait(GRACE_S)
        mark_process_dead(self.stage, str(self._folder))
        pause = self._pause_after(status, time.monotonic() - self._started)
        self.again_at = time.monotonic() + pause
        starts(self._folder, self.stage, pause)
        log.error(
            "%s ended with status %d; it is started again in %.0f s", self.stage, status, pause
        )
        return status

    def _pause_after(self, status: int, ran_s: float) -> float:
        if status == -signal.SIGKILL:
            # Somebody's will, or the end of memory: the stage is not at fault, and to wait longer
            # each time helps nobody. What it leaves undone is noted, and sifted if it is poison.
            return FIRST_PAUSE_S
        if ran_s > STEADY_S:
            self._pause = FIRST_PAUSE_S
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE_S)
        return pause

    def stop(self) -> int:
        """Wait for it to end, which it was asked to; its exit status, -9 if it did not in time."""
        if not self.child.running:
            return 0  # it ended before: that has been told
        status = self.child.stop(grace=GRACE_S)
        if status == -signal.SIGKILL:
            log.error("%s did not end within %.0f s and was killed", self.stage, GRACE_S)
        return status


def _say_ready(keepers: list[_Keeper], stop: threading.Event) -> None:
    while not stop.is_set() and all(keeper.child.running for keeper in keepers):
        if all(keeper.child.ready for keeper in keepers):
            print(f"ready {' '.join(keeper.stage for keeper in keepers)}", flush=True)
            return
        stop.wait(0.05)


def _reads(stage: str, registry: Registry) -> object:
    """What a stage makes of the registry: of it comes again only who would do otherwise now."""
    if stage == "intake":
        return registry.sensors, registry.parties
    if stage == "campaign":
        return registry.terms
    if stage in {SHARE, ALLIANCES}:
        return registry
    return background(registry.parties)


def _watch(
    keepers: list[_Keeper],
    stop: threading.Event,
    watch: RegistryWatch,
    health: Health,
    *,
    restart: bool,
) -> int:
    while not stop.wait(0.1):
        health.watched_at = time.time()
        before = watch.registry
        after = watch.changed()
        for keeper in keepers:
            if after and _reads(keeper.stage, before) != _reads(keeper.stage, after):
                keeper.renew()
            if keeper.renewed():
                continue
            if keeper.again_at is not None:
                if time.monotonic() >= keeper.again_at:
                    STAGE_RESTARTS.labels(keeper.stage).inc()
                    keeper.start()
            elif not keeper.child.running:
                status = keeper.ended()
                if not restart:
                    return status or 1
    return 0


def run_stage(stage: str) -> int:
    """One stage in this process, until it is told to stop."""
    exit_with_parent()
    configure_logging()
    settings = load()
    rules = files.rules_of(Path(settings.rules) if settings.rules else None, settings)
    registry = files.registry_of(Path(settings.sensors), settings.topic_prefix)
    partitions = asyncio.run(topics.ensure(registry, settings)).partitions
    asyncio.set_event_loop(asyncio.new_event_loop())

    # Each imports its own: a stage that starts again is waited for.
    from pipeline.shell.app import make_app, run
    from pipeline.shell.pulse import Pulse

    shared = Path(os.environ[_MULTIPROCESS])
    app = make_app(
        stage, settings, shared / stage, one_active=stage in {"campaign", SHARE, ALLIANCES}
    )
    sightings, alerts = (partitions[settings.topic(name)] for name in ("sightings", "alerts"))
    if stage == "intake":
        from pipeline.shell.intake import IntakeStage

        counted = any(rule.field in {"origin_country", "origin_as"} for rule in rules)
        geo = files.geo_of(settings) if counted else None
        recovered = IntakeStage(app, settings, registry, rules, sightings, geo).recovered
    elif stage == "campaign":
        from pipeline.shell.campaigning import CampaignStage

        geo, benign = files.geo_of(settings), files.benign_of(settings)
        recovered = CampaignStage(
            app, settings, rules, benign, registry.terms, sightings, alerts, geo
        ).recovered
    elif stage == SHARE:
        from pipeline.shell.notify.stage import make_share_stage

        recovered = make_share_stage(app, settings, registry).recovered
    elif stage == ALLIANCES:
        from pipeline.shell.alliances.stage import make_alliance_stage

        recovered = make_alliance_stage(app, settings, registry).recovered
    else:
        from pipeline.shell.correlating import CorrelateStage

        geo, benign = files.geo_of(settings), files.benign_of(settings)
        of = background(registry.parties)
        recovered = CorrelateStage(
            app, settings, rules, geo, benign, of, alerts, sightings
        ).recovered
    return run(app, stage, Pulse(stage, shared, recovered))


if __name__ == "__main__":
    try:
        sys.exit(run_stage(sys.argv[1]))
    except (FailedError, ChildFailed) as error:
        sys.exit(printable_lines(f"sightline: {error}"))
