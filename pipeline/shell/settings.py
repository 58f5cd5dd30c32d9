"""Settings: one TOML file, each key also an environment variable; an unknown key is an error."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from pipeline.clock import Clock, ClockPolicy
from pipeline.lane import TAG, exercise_of

PREFIX = "SIGHTLINE_"
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
_DURATIONS = (
    *("lateness", "source_idle_after", "straggler_after", "clock_bound", "checkpoint_interval"),
    *("campaign_horizon", "notify_hold", "canary_interval"),
)
_BESIDE = (
    *("ssl_ca_file", "sasl_password_file"),
    *("serve_users", "serve_certificate", "serve_key"),
)  # these travel in one folder with their settings
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class WrongUseError(Exception):
    """Whoever called did something wrong; the text says what, and what to do. Exit status 2."""


class FailedError(Exception):
    """It could not be done; the text says why, in one line. Exit status 1."""


Count = Annotated[int, Meta(ge=1, le=100_000)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every setting, with its default. Durations are texts: `500ms`, `30s`, `10m`, `24h`, `7d`."""

    broker: str = "127.0.0.1:9092"
    """Kafka's bootstrap servers, `host:port[,…]`."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL"] = "PLAINTEXT"
    """How clients reach the broker; SASL is SCRAM-SHA-512."""
    ssl_ca_file: str = ""
    """PEM of the authorities that may vouch for the broker; the system's if empty."""
    sasl_username: str = ""
    sasl_password_file: str = ""
    """Holds the password. It is no setting itself: settings are shown, logged and inherited."""
    sensors: str = "sensors.toml"
    """The sensor registry."""
    rules: str = ""
    """A rule file, or a folder of them; the project's default rules if empty."""
    geoip_db: str = ""
    """An MMDB of countries; the carried one if empty."""
    geoip_asn_db: str = ""
    """An MMDB of autonomous systems; none if empty."""
    warninglists: str = ""
    """A cut of the lists of benign infrastructure; the carried one if empty."""
    known_benign: Literal["lower", "label"] = "lower"
    """What becomes of an alert whose indicator is listed: severity informational, or the rule's."""
    topic_prefix: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]*$", max_length=100)] = ""
    metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 9464
    """Where Prometheus scrapes a worker; 0 for nowhere."""
    metrics_host: str = "127.0.0.1"
    serve_host: str = "127.0.0.1"
    """Where `sightline serve` listens; beyond loopback it wants users."""
    serve_port: Annotated[int, Meta(ge=0, le=65535)] = 8420
    """Its port; 0 for any that is free."""
    serve_store: str = "var/serve.sqlite"
    """Its read store, made anew from the topics where it is missing."""
    serve_metrics_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Where on `metrics_host` Prometheus scrapes `sightline serve`; 0 for nowhere."""
    serve_users: str = ""
    """Who may log in there, a TOML file; on loopback none are needed."""
    serve_certificate: str = ""
    """PEM of its certificate, and what vouches for it; with `serve_key`, it serves HTTPS."""
    serve_key: str = ""
    lane: Literal["live", "exercise", "demonstration"] = "live"
    """Whether what is here is meant, or an exercise, which is said wherever it is shown; the page
    also says so of a demonstration."""
    lateness: str = "24h"
    """How far behind the latest an event may come and still count."""
    source_idle_after: str = "30s"
    """How long a source at its end is silent before time goes on without it."""
    straggler_after: str = "10m"
    """How long a live source may be further behind than `lateness` before time goes on without
    it."""
    clock_bound: str = "15m"
    """How far a sensor's clock may be off the broker's before it is flagged."""
    clock_policy: ClockPolicy = ClockPolicy.ACCEPT
    """What becomes of its events then: `accept`, `correct` or `quarantine`."""
    checkpoint_interval: str = "2s"
    canary_interval: str = "30s"
    """How often `sightline canary` has the workers carry a synthetic attack; `0s` for never."""
    campaigns: Literal["on", "off"] = "on"
    """Whether sightings carry what campaigns need: with what else each was seen."""
    campaign_horizon: str = "7d"
    """How long what was seen is evidence for campaigns; `sightings` must be kept for as long."""
    campaign_countries: Annotated[int, Meta(ge=2, le=100)] = 3
    """In how many countries an indicator must be seen to be of a campaign."""
    campaign_facts_max: Annotated[int, Meta(ge=1_000)] = 4_000_000
    """Who saw what in which slice, remembered for campaigns; beyond it the oldest go."""
    watches_max: Annotated[int, Meta(ge=1)] = 500_000
    """Indicators of partners that are watched for; what comes beyond is left out."""
    events_partitions: Count = 4
    """Partitions of a new `events.*` topic."""
    sightings_partitions: Count = 8
    """Partitions of `sightings` and `checkpoints`: the most workers that can correlate."""
    replication_factor: Count = 1
    directory: str = ""
    """The directory of CSIRTs; nobody is notified if empty."""
    delivery: str = ""
    """Subscribers, and the ways by which anything is sent; by topics only if empty."""
    notify_hold: str = "10m"
    """At least so long between two letters to one recipient about one campaign."""
    alliances: str = ""
    """The folder of alliances: versions of who shares with whom, each signed; none if empty."""
    audit_log: str = ""
    """The audit log; under the user's state folder if empty."""
    clocks: str = ""
    """What persons did that notification clocks count from; in the state folder if empty."""
    clock_policies: str = ""
    """A folder of notification clocks beside the project's, and over them."""
    retention: str = ""
    """A TOML file: how long topics keep what is on them, by kind and country."""
    live_indicators_max: Annotated[int, Meta(ge=1_000)] = 8_000_000
    """Indicators remembered over all partitions of `sightings`, each of which has its share."""

    @property
    def lateness_ms(self) -> int:
        return milliseconds("lateness", self.lateness)

    @property
    def campaign_horizon_ms(self) -> int:
        return milliseconds("campaign_horizon", self.campaign_horizon)

    @property
    def notify_hold_ms(self) -> int:
        return milliseconds("notify_hold", self.notify_hold)

    @property
    def source_idle_after_s(self) -> float:
        return milliseconds("source_idle_after", self.source_idle_after) / 1000

    @property
    def straggler_after_ms(self) -> int:
        return milliseconds("straggler_after", self.straggler_after)

    @property
    def clock(self) -> Clock:
        return Clock(self.clock_policy, milliseconds("clock_bound", self.clock_bound))

    @property
    def checkpoint_interval_s(self) -> float:
        return milliseconds("checkpoint_interval", self.checkpoint_interval) / 1000

    @property
    def exercise(self) -> str:
        """Whose lane this is; "" for the live one."""
        return (exercise_of(self.topic_prefix) or "") if self.lane == "exercise" else ""

    @property
    def canary_interval_s(self) -> float:
        """0 for none; on an exercise's lane there is none."""
        return 0 if self.exercise else milliseconds("canary_interval", self.canary_interval) / 1000

    def topic(self, name: str) -> str:
        """A topic's full name."""
        return self.topic_prefix + name

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a child process."""
        return {
            PREFIX + name.upper(): str(value)
            for name, value in msgspec.structs.asdict(self).items()
        }


def milliseconds(name: str, text: str) -> int:
    """A duration such as `24h`, in ms; a `WrongUseError` if it is none."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise WrongUseError(f"{name} is {text!r}: write a number and ms, s, m, h or d, as in 24h")
    return int(match[1]) * _UNIT_MS[match[2]]


def load(
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **given: str | int | None,
) -> Settings:
    """Settings from the file, over it the environment, over that what was given by option."""
    in_file, in_environment = said(config, environment)
    values = in_file.values | in_environment.values
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise WrongUseError(f"settings: {error}") from None
    for name in _DURATIONS:
        milliseconds(name, getattr(settings, name))
    _consistent(settings)
    _one_lane(settings)
    return settings


class Said(Struct, frozen=True):
    """What one place says of settings; `where` is the file, or the environment."""

    where: str
    values: dict[str, Any]


def said(
    config: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[Said, Said]:
    """What the file says, and what the environment says over it."""
    environment = os.environ if environment is None else environment
    path = config or (Path(file) if (file := environment.get(f"{PREFIX}CONFIG")) else None)
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
            raise WrongUseError(f"{path}: {error}") from None
    _known(values, str(path), "")
    for name in _BESIDE:
        if path is not None and isinstance(file := values.get(name), str) and file:
            values[name] = str(path.parent / file)
    from_environment = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name != f"{PREFIX}CONFIG"
    }
    _known(from_environment, "the environment", PREFIX)
    return Said(str(path), values), Said("the environment", from_environment)


def _consistent(settings: Settings) -> None:
    """Half of a login is refused: whoever wrote it believes to be safe."""
    sasl, tls = settings.security_protocol == "SASL_SSL", settings.security_protocol != "PLAINTEXT"
    for name, needed, wanted in (
        ("sasl_username", sasl, "SASL_SSL"),
        ("sasl_password_file", sasl, "SASL_SSL"),
        ("ssl_ca_file", tls, "SSL or SASL_SSL"),
    ):
        if getattr(settings, name) and not needed:
            raise WrongUseError(f"{name} is set: then security_protocol must be {wanted}")
        if sasl and name != "ssl_ca_file" and not getattr(settings, name):
            raise WrongUseError(f"security_protocol is SASL_SSL: then {name} must be set")


def _one_lane(settings: Settings) -> None:
    """The flag and the lane say the same, or nothing starts."""
    prefix = settings.topic_prefix
    if settings.lane == "exercise" and exercise_of(prefix) is None:
        raise WrongUseError(
            "lane is exercise: then topic_prefix must be exercise.<id>., the id of a-z, 0-9 and -"
        )
    if settings.lane != "exercise" and prefix.startswith(f"{TAG}."):
        raise WrongUseError(
            f"topic_prefix is {prefix!r}, an exercise's: then lane must be exercise"
        )


def _known(values: Mapping[str, Any], where: str, prefix: str) -> None:
    names = Settings.__struct_fields__
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            shown = [prefix + (name.upper() if prefix else name) for name in (key, *near)]
            hint = f"; did you mean {shown[1]}?" if near else ""
            raise WrongUseError(f"{where}: there is no setting {shown[0]}{hint}")
