"""Campaigns to the CSIRTs of their victims, on a real broker: one letter each, and what comes back."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pysequoia
import pytest

from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign, Status
from pipeline.share import letter as letters
from pipeline.share import signature
from pipeline.share.letter import Answered, Asked, Letter, Told
from pipeline.share.ruling import decode_open
from pipeline.shell import audit_log, observe
from pipeline.shell.notify import records
from pipeline.shell.processes import Child, until
from tests.integration.conftest import MISSING, Broker
from tests.integration.faults import stage
from tests.integration.harness import Pipeline
from tests.receivers import Hooked, Mailed, authority, mail_server, opened, syslog_udp, webhooks
from tests.unit import inside
from tests.unit.telling import campaign

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason="the embedded broker forgets, and restarts nothing"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
RULES = Path(__file__).parents[2] / "deploy" / "rules"
KEY = bytes(range(32))
TODAY = datetime.now(UTC).date()

SENSORS = """
[[organisation]]
id = "org-cz"
country = "CZ"
name = "A Czech university"
tlp = "AMBER"
releasable_to = ["CZ", { to = "KE", as = "country" }, { to = "BR", as = "count" }]
[[organisation.sensor]]
id = "sensor-cz"

[[organisation]]
id = "org-ke"
country = "KE"
name = "A Kenyan bank"
tlp = "AMBER"
releasable_to = ["KE", { to = "CZ", as = "country" }, { to = "BR", as = "count" }]
[[organisation.sensor]]
id = "sensor-ke"

[[organisation]]
id = "org-br"
country = "BR"
name = "A Brazilian ministry"
[[organisation.sensor]]
id = "sensor-br"

[[organisation]]
id = "org-xx"
country = "PT"
name = "One for whom nobody answers"
[[organisation.sensor]]
id = "sensor-pt"
"""


def csirt(country: str, days: int = 1, **more: str) -> str:
    lines = "".join(f'{name} = "{value}"\n' for name, value in more.items())
    return f"""
[[csirt]]
id = "{country.lower()}-csirt"
name = "National CSIRT of {country}"
country = "{country}"
role = "national"
verified_at = {TODAY - timedelta(days=days)}
constituency = {{ countries = ["{country}"] }}
{lines}"""


@dataclass
class World:
    """A share stage, those it writes to, and who speaks for them."""

    pipeline: Pipeline
    folder: Path
    hook: Hooked
    mail: Mailed
    syslog: list[bytes]
    key: pysequoia.Cert

    def tell(self, *some: Campaign) -> None:
        for one in some:
            records.produce(self.pipeline.settings, "campaigns", one.id, campaigns.encode(one))

    def letters(self, topic: str) -> list[Letter]:
        """Every record there is, not only the newest of a key."""
        settings = self.pipeline.settings

        async def read() -> list[Letter]:
            name = settings.topic(topic)
            return [letters.decode(v) async for v in observe.read_topic(settings, name)]

        return asyncio.run(read())

    def first(self, topic: str, count: int = 1) -> list[Letter]:
        return until(lambda: found if len(found := self.letters(topic)) >= count else [], topic, 60)

    def sightline(self, *arguments: str) -> str:
        environment = self.pipeline.settings.environment()
        done = inside.sightline(*arguments, cwd=self.folder, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def audit(self) -> list[dict[str, object]]:
        path = audit_log.audit_path(self.pipeline.settings)
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line) for line in lines]

    def worker(self, name: str) -> Child:
        return self.pipeline.worker("--stage", "share", log=self.folder / name)


@pytest.fixture(scope="module")
def world(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("notifying")
    (folder / "sensors.toml").write_text(SENSORS)
    key = pysequoia.Cert.generate("CSIRT <csirt@cz.example>")
    (folder / "cz.asc").write_text(str(key))
    secret = folder / "secret"
    secret.write_text("whsec_" + base64.b64encode(KEY).decode())
    secret.chmod(0o600)
    by = authority(folder)
    with webhooks(by) as hook, mail_server(by) as mail, syslog_udp() as (port, lines):
        url = f"https://localhost:{hook.port}/hook"
        (folder / "directory.toml").write_text(
            csirt("CZ", email="csirt@cz.example", pgp=key.fingerprint, pgp_key="cz.asc")
            + csirt("KE", webhook=url, webhook_secret_file="secret")
            + csirt("BR", days=181, email="csirt@br.example")
        )
        (folder / "delivery.toml").write_text(f"""
[mail]
host = "localhost"
port = {mail.port}
sender = "sightline@here.example"
ca_file = "ca.pem"
[webhooks]
hosts = ["localhost:{hook.port}"]
ca_file = "ca.pem"
[[subscriber]]
id = "soc"
sees = "*"
where = "severity >= medium and country = KE"
topic = true
email = "soc@here.example"
digest = "2s"
syslog = {{ host = "127.0.0.1", port = {port}, by = "udp" }}
""")
        pipeline = Pipeline(
            broker.bootstrap,
            "notify.test.",
            RULES,
            folder / "sensors.toml",
            directory=str(folder / "directory.toml"),
            delivery=str(folder / "delivery.toml"),
            audit_log=str(folder / "audit.jsonl"),
            notify_hold="1s",
        )
        pipeline.create_topics()
        yield World(pipeline, folder, hook, mail, lines, key)


def test_each_csirt_gets_one_letter_in_which_the_others_are_masked(world: World) -> None:
    one = campaign("cz", "ke", "org-xx/PT", value="218.237.65.1", id="c-1")
    with world.worker("one") as worker:
        world.tell(one)
        (czech,) = world.first("notify.cz-csirt")
        (kenyan,) = world.first("notify.ke-csirt")
        (soc,) = world.first("feed.soc")
        assert isinstance(czech.body, Told)
        assert isinstance(kenyan.body, Told)
        assert isinstance(soc.body, Told)

        # Each knows its own by name, the other by its country, and nothing of who shares nothing.
        assert [victim.organisation for victim in czech.body.yours] == ["org-cz"]
        assert [victim.organisation for victim in kenyan.body.yours] == ["org-ke"]
        for letter, mine, other in ((czech, "org-cz", "org-ke"), (kenyan, "org-ke", "org-cz")):
            said = letters.encode(letter)
            assert mine.encode() in said
            assert other.encode() not in said
            assert b"org-xx" not in said
            assert b"c-1" not in said, "our own id of it is a function of what all saw"
        assert czech.body.campaign.countries == kenyan.body.campaign.countries == ("CZ", "KE")
        assert czech.body.thread == czech.body.campaign.id
        # The operator's own subscriber sees all of it; Brazil's CSIRT, which nobody has verified
        # lately, and who has nothing to do with it, nothing.
        assert soc.body.campaign == one
        assert world.letters("notify.br-csirt") == []

        # By mail, for whoever has the key; by webhook, signed.
        until(lambda: world.mail.came, "mail", 30)
        to, mail, safe = world.mail.came[0]
        assert (to, safe) == (["csirt@cz.example"], True)
        armored = list(mail.iter_parts())[1].get_payload(decode=True)
        (attached,) = opened(armored, world.key).iter_attachments()
        assert letters.decode(attached.get_content()) == czech
        until(lambda: world.hook.came, "a webhook", 30)
        headers, body = world.hook.came[0]
        assert letters.decode(body) == kenyan
        assert signature.is_genuine(KEY, headers, body, int(headers["webhook-timestamp"]))
        until(lambda: world.syslog, "syslog", 30)
        assert b'about="c-1"' in world.syslog[0]

        # A person is asked of whom nobody answers for.
        asked = until(
            lambda: asyncio.run(records.newest(world.pipeline.settings, "questions")), "asked", 30
        )
        (question,) = [decode_open(value).question for value in asked.values()]
        assert (question.victim.organisation, question.reason) == ("org-xx", "no-route")
        assert "c-1 PT/org-xx: no-route" in world.sightline("notify", "queue")

        # What comes back shows, and each delivery has its receipt.
        thread = czech.body.thread
        world.sightline("reply", thread, "received", "--as", "cz-csirt", "--text", "thanks")
        status = until(
            lambda: said if "received" in (said := world.sightline("notify", "status", "c-1")) else "",
            "the reply shows", 30,
        )  # fmt: skip
        assert "cz-csirt: revision 1" in status
        assert "email delivered, topic delivered; received" in status
        assert "ke-csirt: revision 1" in status
        assert "topic delivered, webhook delivered; nothing said yet" in status
        receipts = until(
            lambda: found if len(found := [e for e in world.audit() if e["action"] == "delivered"]) >= 7 else [],
            "receipts", 30,
        )  # fmt: skip
        assert {(e["about"], e["facts"]["to"], e["facts"]["way"]) for e in receipts} == {  # type: ignore[index]
            *(("c-1", "cz-csirt", way) for way in ("topic", "email")),
            *(("c-1", "ke-csirt", way) for way in ("topic", "webhook")),
            *(("c-1", "soc", way) for way in ("topic", "email", "syslog")),
        }
        until(
            lambda: [e for e in world.audit() if (e["actor"], e["action"]) == ("cz-csirt", "reply")],
            "the reply is in the audit log", 30,
        )  # fmt: skip

        # A request from one to the other, who is not told who asks; and the answer.
        made = world.sightline(
            "request", "ask", thread, "Which port?", "--to", "KE", "--as", "cz-csirt"
        )
        request = made.split()[1].rstrip(":")
        question_letter = world.first("notify.ke-csirt", 2)[-1]
        assert isinstance(question_letter.body, Asked)
        assert (question_letter.body.by, question_letter.body.text) == ("", "Which port?")
        assert question_letter.body.thread == kenyan.body.thread
        world.sightline("request", "answer", request, "Port 22.", "--as", "ke-csirt", "--named")
        answer = world.first("notify.cz-csirt", 2)[-1]
        assert isinstance(answer.body, Answered)
        assert (answer.body.by, answer.body.text) == ("ke-csirt", "Port 22.")
        assert worker.running


def test_a_crash_loses_no_letter_and_repeats_none(world: World) -> None:
    two = campaign("cz", "ke", value="218.237.65.2", id="c-2")
    world.hook.answers = [503, 503, 204]
    hooked = len(world.hook.came)
    with world.worker("two") as worker:
        before = len(world.letters("notify.cz-csirt")), len(world.letters("notify.ke-csirt"))
        world.tell(two)
        until(lambda: len(world.hook.came) > hooked, "the webhook is tried", 60)
        os.kill(stage(worker, "share"), signal.SIGKILL)  # while it waits to try again
        grown = msgspec.structs.replace(two, severity=4, grown_at=two.grown_at + 1)
        world.tell(grown)
        until(lambda: len(world.hook.came) >= hooked + 3, "it is tried until it is taken", 90)
        world.tell(msgspec.structs.replace(grown, status=Status.CLOSED))
        until(lambda: _last(world) == "closed", "it is told to be over", 60)
    came = [dict(headers)["webhook-id"] for headers, _ in world.hook.came[hooked:]]
    assert len(set(came)) == 1, "one letter, tried again under its id"
    # What is worth no other letter in the recipients' own view led to none, over crash and restart.
    after = len(world.letters("notify.cz-csirt")), len(world.letters("notify.ke-csirt"))
    assert after == (before[0] + 1, before[1] + 1)
    for topic in ("feed.soc", "notify.cz-csirt", "notify.ke-csirt"):
        ids = [letter.id for letter in world.letters(topic)]
        assert len(ids) == len(set(ids)), topic


def _last(world: World) -> str:
    body = world.letters("feed.soc")[-1].body
    return body.campaign.status if isinstance(body, Told) else ""


def test_what_is_suppressed_comes_to_csirts_and_to_no_subscriber(world: World) -> None:
    said = world.sightline("suppress", "preview", "country = KE")
    assert said == "would have hidden 2 of 2 of the last 24h\n"
    added = world.sightline(
        "suppress", "add", "value = 9.9.9.9 or organisation = org-ke", "--for", "1h"
    )
    assert "would have hidden 2 of 2 of the last 24h" in added
    listed = world.sightline("suppress", "list")
    assert "organisation = org-ke; until " in listed
    assert listed.endswith("1 suppressions\n")
    feed = len(world.letters("feed.soc"))
    with world.worker("three"):
        czech = len(world.letters("notify.cz-csirt"))
        world.tell(campaign("cz", "ke", value="218.237.65.3", id="c-3"))
        world.first("notify.cz-csirt", czech + 1)
        world.sightline("suppress", "remove", added.split(":")[0])
        world.tell(campaign("cz", "ke", "br", value="218.237.65.4", id="c-4"))
        (after,) = world.first("feed.soc", feed + 1)[feed:]
    assert isinstance(after.body, Told)
    assert after.body.thread in {"c-3", "c-4"}


def test_a_person_decides_of_whom_nobody_answers_for(world: World) -> None:
    with world.worker("four"):
        told = len(world.letters("notify.ke-csirt"))
        world.tell(campaign("ke", "org-xx/PT", "org-br/BR", value="218.237.65.5", id="c-5"))
        world.first("notify.ke-csirt", told + 1)
        until(
            lambda: "c-5 BR/org-br: stale (br-csirt)" in world.sightline("notify", "queue"),
            "asked",
            30,
        )
        world.sightline("notify", "route", "c-5", "PT/org-xx", "nobody", "--by", "ann")
        until(lambda: "c-5 PT/org-xx" not in world.sightline("notify", "queue"), "answered", 30)
        assert "c-5 BR/org-br" in world.sightline("notify", "queue")
        world.sightline("notify", "route", "c-5", "BR/org-br", "br-csirt", "--by", "ann")
        (brazilian,) = world.first("notify.br-csirt")
    assert isinstance(brazilian.body, Told)
    assert brazilian.body.campaign.organisations == ()
    assert brazilian.body.campaign.unnamed == 1, "the bank in Kenya, as one more"
