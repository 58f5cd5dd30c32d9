"""The folder of an exercise, its lead's alone: scenario, registry, settings, the sealed truth."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from pipeline.exercise.cexf import Scenario, read_scenario
from pipeline.exercise.seal import SALT_BYTES, is_sealed, seal
from pipeline.lane import prefix_of
from pipeline.measure.told import read_truths
from pipeline.shell.access.handover import write_private
from pipeline.shell.files import refuse
from pipeline.shell.settings import FailedError, Settings, WrongUseError
from pipeline.world.truth import Truth
from pipeline.world.world import encode_truth

SETTINGS = "sightline.toml"
_PATHS = (
    *("sensors", "rules", "geoip_db", "geoip_asn_db", "warninglists", "ssl_ca_file", "directory"),
    *("delivery", "alliances", "clock_policies", "audit_log", "clocks", "serve_store"),
    *("serve_users", "serve_certificate", "serve_key"),
)
LATENESS = "30d"
"""Of a lane: what is injected is not in order of time."""


class Folder:
    """Where an exercise keeps what its lead must have."""

    def __init__(self, path: Path, exercise: str) -> None:
        self.path = path
        self.exercise = exercise

    def make(self) -> None:
        """A new one, readable by its owner only; a `WrongUseError` if there is one."""
        try:
            self.path.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise WrongUseError(
                f"{self.path} is there: an exercise has a folder of its own"
            ) from None
        except OSError as error:
            raise WrongUseError(f"{self.path}: {error.strerror}") from None

    def lane(self, settings: Settings) -> Settings:
        """Those of the broker, as they are on the exercise's lane."""
        return msgspec.structs.replace(
            settings,
            lane="exercise",
            topic_prefix=prefix_of(self.exercise),
            sensors=str(self.path / "sensors.toml"),
            lateness=LATENESS,
            # What is kept on disk is kept apart, too.
            audit_log=str(self.path / "audit.jsonl"),
            clocks=str(self.path / "clocks.jsonl"),
            serve_store=str(self.path / "serve.sqlite"),
        )

    def write_settings(self, lane: Settings) -> None:
        """What `--config` takes to work on the lane; no login is in it."""
        default = Settings()
        said = {
            name: getattr(lane, name)
            for name in Settings.__struct_fields__
            if getattr(lane, name) != getattr(default, name) and not name.startswith("sasl_")
        }
        if lane.sasl_username:
            said.pop("security_protocol", None)
        for name in _PATHS:
            if said.get(name):
                said[name] = str(Path(said[name]).absolute())
        text = f"# The lane of exercise {self.exercise}: nothing in it is meant.\n"
        text += "".join(f"{name} = {json.dumps(value)}\n" for name, value in said.items())
        self.write(SETTINGS, text.encode())

    def write(self, name: str, content: bytes) -> None:
        try:
            write_private(self.path / name, content)
        except OSError as error:
            raise FailedError(f"{self.path / name}: {error.strerror}") from None

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise WrongUseError(f"{self.path / name}: {error.strerror}") from None

    def seal(self, truths: Iterable[Truth]) -> str:
        """Write the truth and a salt; the seal to publish."""
        truth = b"".join(encode_truth(one) + b"\n" for one in truths)
        salt = secrets.token_bytes(SALT_BYTES)
        self.write("truth.jsonl", truth)
        self.write("salt", salt.hex().encode())
        return seal(salt, truth)

    def truths(self, by: str) -> list[Truth]:
        """The truth, if it is the one that was sealed; a `FailedError` if it is not."""
        truth = self.read("truth.jsonl")
        try:
            salt = bytes.fromhex(self.read("salt").decode("ascii"))
        except ValueError:
            salt = b""
        if not is_sealed(salt, truth, by):
            raise FailedError(
                f"{self.path / 'truth.jsonl'} is not the truth that was sealed when exercise "
                f"{self.exercise!r} started: no score is given"
            )
        found, problems = read_truths(truth.splitlines(), str(self.path / "truth.jsonl"))
        refuse(problems)
        return found

    def scenario(self) -> Scenario:
        return scenario_of(self.read("scenario.json"), str(self.path / "scenario.json"))

    def done(self) -> list[str]:
        """Injects that were done, in their order."""
        path = self.path / "done.json"
        return list(json.loads(path.read_text("utf-8"))) if path.exists() else []

    def note_done(self, done: Sequence[str]) -> None:
        self.write("done.json", json.dumps(list(done)).encode())


def scenario_of(raw: bytes, where: str) -> Scenario:
    """A scenario; a `WrongUseError` names everything that is wrong with it."""
    scenario, problems = read_scenario(raw, where)
    refuse(problems)
    assert scenario is not None
    return scenario


def digest(raw: bytes) -> str:
    """SHA-256 of a file."""
    return f"sha256:{sha256(raw).hexdigest()}"
