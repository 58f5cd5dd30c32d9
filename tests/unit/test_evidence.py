"""A pack of evidence: made from recorded events, verified by anybody, and run again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from pipeline.benign import NOTHING_LISTED
from pipeline.episode import Change
from pipeline.explain import watched, words
from pipeline.explain.inquiry import Inquiry
from pipeline.explain.when import moment
from pipeline.geo import Geo
from pipeline.share import neutral
from pipeline.share.phrasing import countries_as_actors
from pipeline.share.tlp import Pap, Tlp
from pipeline.shell.evidence import packing, standalone
from pipeline.sight import Group, Sightings
from pipeline.watch import Seen, Watch, watch_alert
from tests.unit.inside import sightline
from tests.unit.test_cli import NOON, RULE, SENSORS, event

VERIFIER = Path(standalone.__file__)
ANOTHER = """
[[organisation]]
id = "c"
country = "KE"
name = "C"
contact = "someone@c.example"
[[organisation.sensor]]
id = "c-1"
"""


class World:
    """Three organisations' events, and what they come to, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sensors.toml").write_text(SENSORS + ANOTHER)
        (folder / "rule.yml").write_text(RULE)
        events = [
            *(event("a-1", NOON + n * 1000) for n in range(3)),
            *(event("b-1", NOON + n * 1000 + 500) for n in range(2)),
            event("a-1", NOON, "198.41.0.5"),
        ]
        (folder / "events.jsonl").write_text("".join(f"{one}\n" for one in events))
        (folder / "sightline.toml").write_text(
            f'sensors = "{folder}/sensors.toml"\nrules = "{folder}/rule.yml"\n'
            f'audit_log = "{folder}/audit.jsonl"\n'
        )
        run = self("correlate", "--sensors", "sensors.toml", "--rules", "rule.yml",
                   "--input", "events.jsonl", "--output", "alerts.jsonl", "--campaigns", "campaigns.jsonl")  # fmt: skip
        assert run.returncode == 0, run.stderr
        self.alert = json.loads((folder / "alerts.jsonl").read_text())["finding_info"]["uid"]

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return sightline(*arguments, cwd=self.folder)

    def evidence(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self("evidence", *arguments, "--config", "sightline.toml")

    def pack(self, name: str, *more: str, identity: str = "") -> subprocess.CompletedProcess[str]:
        return self.evidence("pack", identity or self.alert, "--out", name, "--events", "events.jsonl",
                             "--alerts", "alerts.jsonl", *more)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("evidence")
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        made = World(folder)
        run = made.pack("pack")
        assert run.returncode == 0, run.stderr
        run = made.evidence("redact", "pack", "--organisation", "b", "--out", "redacted")
        assert run.returncode == 0, run.stderr
        yield made


def by_script(pack: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a clean environment: no packages, no variables; openssl is all that it finds."""
    clean = pack.parent / "clean"
    clean.mkdir(exist_ok=True)
    script = clean / "verify.py"
    shutil.copyfile(VERIFIER, script)
    tool = shutil.which("openssl")
    assert tool is not None
    return subprocess.run(
        [shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable, "-I", "-S", str(script), str(pack), *arguments],
        env={"PATH": str(Path(tool).parent)}, cwd=clean, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_script_can_be_read_at_a_sitting_and_needs_nothing() -> None:
    assert len(VERIFIER.read_text().splitlines()) <= 300
    assert "pipeline" not in VERIFIER.read_text()


def test_a_pack_verifies_in_a_clean_environment(world: World) -> None:
    run = by_script(
        world.folder / "pack", "--key", str(world.folder / "state/sightline/evidence.public.pem")
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(
        f"verified: alert {world.alert}\n1 alerts; 5 events, 0 of them withheld\n"
    )
    assert "The key came with the pack" not in run.stdout


def test_another_key_does_not_do(world: World, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "ed25519", "-out", tmp_path / "key"], check=True
    )
    subprocess.run(
        ["openssl", "pkey", "-in", tmp_path / "key", "-pubout", "-out", other], check=True
    )
    run = by_script(world.folder / "pack", "--key", str(other))
    assert (run.returncode, run.stdout) == (
        1,
        "NOT VERIFIED: evidence.dsse.json: signed by another key\n",
    )
    assert by_script(world.folder / "pack", "--fingerprint", "00" * 32).returncode == 1


def test_it_runs_again_to_the_same_alert(world: World) -> None:
    run = world.evidence("rerun", "pack")
    assert run.returncode == 0, run.stderr
    digest = sha256(
        (world.folder / "pack/alerts.jsonl").read_bytes().removesuffix(b"\n")
    ).hexdigest()
    assert run.stdout == f"{world.alert}: the same: sha256 {digest}\n"


def test_a_redacted_one_verifies_under_the_same_signature(world: World) -> None:
    run = by_script(world.folder / "redacted")
    assert run.returncode == 0, run.stdout
    assert "5 events, 2 of them withheld" in run.stdout
    shown = (world.folder / "redacted/events.jsonl").read_text()
    assert '"b-1"' not in shown
    assert "b-1" not in shown
    assert (world.folder / "redacted/evidence.dsse.json").read_bytes() == (
        world.folder / "pack/evidence.dsse.json"
    ).read_bytes()
    run = world.evidence("rerun", "redacted")
    assert run.returncode == 1
    assert "NOT the same" in run.stdout
    assert "2 events are withheld" in run.stdout


def test_a_commitment_tells_nothing_to_one_who_knows_the_event(world: World) -> None:
    """Two equal events have different commitments, and none is the digest of what can be guessed."""
    rows = [
        json.loads(row) for row in (world.folder / "pack/events.jsonl").read_text().splitlines()
    ]
    assert len({row["salt"] for row in rows}) == len(rows)
    assert all(len(row["salt"]) == 32 for row in rows)


def test_others_are_not_named(world: World) -> None:
    registry = (world.folder / "pack/registry.toml").read_text()
    assert "someone@" not in registry
    assert '"c"' not in registry
    assert 'country = "KE"' in registry


def test_events_that_are_gone_are_said(world: World) -> None:
    kept = [
        row
        for row in (world.folder / "events.jsonl").read_text().splitlines()
        if '"b-1"' not in row
    ]
    (world.folder / "fewer.jsonl").write_text("\n".join(kept) + "\n")
    run = world.evidence(
        "pack", world.alert, "--out", "no", "--events", "fewer.jsonl", "--alerts", "alerts.jsonl"
    )
    assert run.returncode == 1
    assert "come to no alert" in run.stderr
    assert not (world.folder / "no").exists()


def test_it_is_in_the_audit_log(world: World) -> None:
    run = world("audit", "show", "--action", "evidence-packed", "--config", "sightline.toml")
    assert f"evidence-packed {world.alert} alerts=1 events=5" in run.stdout
    run = world("audit", "show", "--action", "evidence-redacted", "--config", "sightline.toml")
    assert "of=5 withheld=2" in run.stdout


def holds(files: dict[str, bytes], der: bytes) -> bool:
    try:
        standalone.check(files, der, packing.signature_holds)
    except standalone.NotVerifiedError:
        return False
    return True


@pytest.mark.parametrize("name", ["pack", "redacted"])
def test_every_byte_counts(world: World, name: str) -> None:
    """Each byte of what is signed and committed to, each seventh of the other files."""
    files = packing.read(world.folder / name)
    der = standalone.key_of(files["signer.pem"])
    assert holds(files, der)
    tried = 0
    for file, content in files.items():
        if name == "redacted" and content == packing.read(world.folder / "pack")[file]:
            continue
        step = 1 if file in {"events.jsonl", "evidence.dsse.json", "alerts.jsonl"} else 7
        for at in range(0, len(content), step):
            changed = bytearray(content)
            changed[at] ^= 1 << (at % 8)
            tried += 1
            assert not holds(files | {file: bytes(changed)}, der), (file, at)
    assert tried > (4_000 if name == "pack" else 800)


def test_every_file_and_every_line_counts(world: World) -> None:
    files = packing.read(world.folder / "pack")
    der = standalone.key_of(files["signer.pem"])
    for name, content in files.items():
        assert not holds({n: c for n, c in files.items() if n != name}, der), name
        for cut in (content[:-1], content + b"\n", b"", content[1:]):
            assert not holds(files | {name: cut}, der), name
    assert not holds(files | {"more.txt": b""}, der)
    names = list(files)
    for one, other in pairwise(names):
        assert not holds(files | {one: files[other], other: files[one]}, der)
    lines = files["events.jsonl"].splitlines(keepends=True)
    for at in range(len(lines)):
        others = lines[:at] + lines[at + 1 :]
        for changed in (
            others,
            [*others, lines[at]],
            [lines[at], *others],
            lines[: at + 1] + lines[at:],
        ):
            if changed != lines:
                assert not holds(files | {"events.jsonl": b"".join(changed)}, der)


@pytest.mark.parametrize(
    "change",
    [
        lambda pack: (pack / "alerts.jsonl").unlink(),
        lambda pack: (pack / "more").mkdir(),
        lambda pack: (pack / "statement.en.md").rename(pack / "statement.de.md"),
        lambda pack: (pack / "rules/rule.yml").write_text("# nothing\n"),
        lambda pack: (pack / "signer.pem").unlink(),
        lambda pack: ((pack / "verify.md").unlink(), (pack / "verify.md").symlink_to("/etc/hostname")),
    ],
)  # fmt: skip
def test_the_script_finds_it_too(
    world: World, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(world.folder / "pack", pack)
    key = str(world.folder / "state/sightline/evidence.public.pem")
    assert by_script(pack, "--key", key).returncode == 0
    change(pack)
    if any((pack / "more").parent.glob("more")):
        (pack / "more" / "file").write_text("x")
    run = by_script(pack, "--key", key)
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stdout.startswith("NOT VERIFIED: ")


def test_openssl_and_the_library_agree(world: World) -> None:
    files = packing.read(world.folder / "pack")
    der = standalone.key_of(files["signer.pem"])
    for verifies in (standalone.openssl_verifies, packing.signature_holds):
        assert standalone.check(files, der, verifies).events == 5
        assert not verifies(der, bytes(64), b"x")
        assert not verifies(der, b"short", b"x")


def test_a_campaign_of_a_whole_world(world: World, tmp_path: Path) -> None:
    """Many rules and alerts: the few events that are packed come to the same as all of them did."""
    settings = tmp_path / "sightline.toml"
    settings.write_text(
        f'sensors = "{tmp_path}/sensors.toml"\naudit_log = "{tmp_path}/audit.jsonl"\n'
    )
    rules = str(Path(__file__).parents[2] / "deploy" / "rules")
    sightline(
        "generate",
        "--seed",
        "1",
        "--events",
        "3000",
        "--days",
        "2",
        "--campaigns",
        "4",
        "--out",
        ".",
        cwd=tmp_path,
    )
    sightline("correlate", "--sensors", "sensors.toml", "--rules", rules, "--input", "events.jsonl",
              "--output", "alerts.jsonl", "--campaigns", "campaigns.jsonl", cwd=tmp_path)  # fmt: skip
    campaigns = [json.loads(row) for row in (tmp_path / "campaigns.jsonl").read_text().splitlines()]
    largest = max(campaigns, key=lambda one: len(one["alerts"]))
    assert len(largest["alerts"]) > 3
    run = sightline("evidence", "pack", largest["id"], "--out", "pack", "--events", "events.jsonl",
                    "--alerts", "alerts.jsonl", "--campaigns", "campaigns.jsonl", "--config", "sightline.toml", cwd=tmp_path)  # fmt: skip
    assert run.returncode == 0, run.stderr
    verified = by_script(tmp_path / "pack").stdout
    assert verified.startswith(
        f"verified: campaign {largest['id']}\n{len(largest['alerts'])} alerts; "
    )
    run = sightline("evidence", "rerun", "pack", "--config", "sightline.toml", cwd=tmp_path)
    assert run.stdout.count(": the same: ") == len(largest["alerts"]), run.stdout
    for language in neutral.LANGUAGES:
        text = (tmp_path / f"pack/statement.{language}.md").read_text()
        assert largest["id"] in text
        assert not countries_as_actors(text)


def test_a_judgement_that_names_a_state_needs_more(world: World) -> None:
    judgement = world.folder / "judgement.toml"
    judgement.write_text(
        'by = "anna"\ntext = "The tools are those of one operator."\n'
        'likelihood = "likely"\nconfidence = "low"\n'
    )
    run = world.pack("judged", "--judgement", "judgement.toml")
    assert run.returncode == 0, run.stderr
    assert by_script(world.folder / "judged").returncode == 0
    assert "This is a person's judgement" in (world.folder / "judged/judgement.md").read_text()
    judgement.write_text(judgement.read_text().replace("one operator", "hackers from Russia"))
    run = world.pack("no", "--judgement", "judgement.toml")
    assert run.returncode == 2
    assert "2 independent sources" in run.stderr


WATCH = {
    "id": "w1", "type": "ip", "value": "198.41.0.5", "source": "CERT-X *", "reference": "r-7",
    "tlp": "GREEN", "pap": "CLEAR", "confidence": 40, "valid_until": NOON + 86_400_000,
}  # fmt: skip


def test_what_a_partner_shared_is_packed_and_explained_too(world: World) -> None:
    folder = world.folder
    (folder / "watches.jsonl").write_text(json.dumps(WATCH) + "\n")
    run = world("correlate", "--sensors", "sensors.toml", "--rules", "rule.yml", "--input",
                "events.jsonl", "--output", "with-watches.jsonl", "--watches", "watches.jsonl")  # fmt: skip
    assert run.returncode == 0, run.stderr
    rows = [json.loads(row) for row in (folder / "with-watches.jsonl").read_text().splitlines()]
    (found,) = (row for row in rows if row["unmapped"].get("watch"))
    uid = found["finding_info"]["uid"]
    run = world.evidence("pack", uid, "--out", "watched", "--events", "events.jsonl",
                         "--alerts", "with-watches.jsonl")  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "1 alerts, 1 events" in run.stdout
    assert by_script(folder / "watched").returncode == 0
    (alert,) = (folder / "watched/alerts.jsonl").read_text().splitlines()
    assert json.loads(alert)["unmapped"] == found["unmapped"]
    assert "CERT-X \\* shared it" in (folder / "watched/statement.en.md").read_text()
    run = world.evidence("rerun", "watched")
    assert (run.returncode, run.stdout.count("the same")) == (0, 1), run.stdout

    # What the events do not come to is not signed.
    lie = found | {"unmapped": found["unmapped"] | {"countries": ["AT", "CZ"]}}
    (folder / "lie.jsonl").write_text(json.dumps(lie) + "\n")
    run = world.evidence("pack", uid, "--out", "lie", "--events", "events.jsonl",
                         "--alerts", "lie.jsonl")  # fmt: skip
    assert run.returncode == 1
    assert "the events that there are come to" in run.stderr


def test_an_alert_on_a_watch_is_explained() -> None:
    seen = Seen()
    for at, country, organisation in ((NOON, "CZ", "a"), (NOON + 10, "AT", "b")):
        seen.note(at, country, organisation, (Tlp.GREEN, Pap.GREEN))
        seen.last = at
    watch = msgspec.convert(WATCH, Watch)
    told = watch_alert(watch, seen, Change.OPENED, NOTHING_LISTED, Geo())
    inquiry = Inquiry((), None, {("ip", "198.41.0.5")}, {})
    for organisation, country, at in (("b", "AT", NOON + 9), ("a", "CZ", NOON), ("x", "KE", 5)):
        group = Group("ip", ["198.41.0.5"], [at], [at + 1])
        inquiry.sighted(Sightings("s", organisation, country, 0, 0, [group]))
    assert told.unmapped.watch
    found = watched.explained(told, told.unmapped.watch, inquiry)
    # What was seen at another time than it tells of is not why it is there.
    assert [(one.country, one.organisations) for one in found.countries] == [
        ("CZ", ("a",)), ("AT", ("b",)),
    ]  # fmt: skip
    lines = list(words.of_watch(found))
    assert lines[1] == (
        "by no rule: CERT-X * shared it, there r-7 (TLP:GREEN, 40 percent sure, until "
        f"{moment(NOON + 86_400_000)})"
    )
    assert lines[2] == "severity low: its source is not sure"
    nothing = watched.explained(told, told.unmapped.watch, Inquiry((), None, set(), {}))
    assert list(words.of_watch(nothing))[-1].endswith("look further back")
