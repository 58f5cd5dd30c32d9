"""Who may do what, on a real Kafka with TLS, logins and an authorizer (docs/threat-model.md).

Not collected where there is no Kafka: the embedded broker knows of no access control.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from msgspec.structs import replace
from typer.testing import CliRunner

from pipeline import dead_letter
from pipeline.campaign import campaign as campaigns
from pipeline.campaign.campaign import Campaign, Member, Seen, Status
from pipeline.share.tlp import Tlp
from pipeline.shell import files, observe
from pipeline.shell.access.certificates import make_authority
from pipeline.shell.cli import cli
from pipeline.shell.kafka_install import missing_for_kafka
from pipeline.shell.processes import Child, ChildFailed, until
from pipeline.shell.restoring import everything
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import Settings, load
from pipeline.shell.signing import make_key
from tests.integration.rules import THREE_COUNTRIES
from tests.integration.secured import (
    OK,
    PREFIX,
    RECORD,
    WITHIN,
    Reader,
    Secured,
    Writer,
    joined,
    read,
    refused,
    secured,
    seen,
)
from tests.integration.test_bad_input import event

pytestmark = pytest.mark.kafka

DENIED = "TOPIC_AUTHORIZATION_FAILED"
# The second's id begins as the first's: a right by prefix would be a right to both.
ORGANISATIONS = {"cz-nren": "CZ", "cz-nren-2": "CZ", "ke-bank": "KE", "br-uni": "BR"}
EVENTS = {name: f"{PREFIX}events.{land.lower()}.{name}" for name, land in ORGANISATIONS.items()}
OTHERS = {PREFIX + n for n in ("sightings", "checkpoints", "alerts", "campaigns", "labels")} | {
    PREFIX + "watches",
    PREFIX + "dead-letters",
    PREFIX + "sensors",
    PREFIX + "canary-events",
    PREFIX + "canary-alerts",
}
ALL = {*EVENTS.values(), *OTHERS}


def named(*names: str) -> set[str]:
    return {PREFIX + name for name in names}


ROLES = {  # what each may read, what each may write: all else is refused
    "intake": (
        {*EVENTS.values(), *named("sensors", "canary-events")},
        named("sightings", "dead-letters", "sensors"),
    ),
    "correlate": (
        named("sightings", "checkpoints"),
        named("checkpoints", "alerts", "dead-letters", "canary-alerts"),
    ),
    "campaign": (
        named("sightings", "alerts", "labels", "watches", "campaigns"),
        named("campaigns", "alerts", "dead-letters"),
    ),
    "worker": (
        {
            *EVENTS.values(),
            *named("sightings", "checkpoints", "alerts", "labels", "watches", "campaigns"),
            *named("sensors", "canary-events"),
        },
        {
            *named("sightings", "checkpoints", "alerts", "campaigns", "dead-letters", "sensors"),
            *named("canary-alerts"),
        },
    ),
    "share": (named("campaigns", "alerts"), named("dead-letters")),
    "canary": (named("canary-alerts"), named("canary-events")),
    "operator": (
        named("alerts", "campaigns", "labels", "watches", "dead-letters", "sensors"),
        {*EVENTS.values(), *named("labels", "watches", "dead-letters")},
    ),
    "reader": (named("alerts", "campaigns", "sensors"), set()),
    "partner": (set(), set()),
}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured(tmp_path_factory.mktemp("secured")) as made:
        for name, country in ORGANISATIONS.items():
            made.sightline("sensor", "add", name, "--country", country)
        for role in ROLES:
            made.sightline("principal", "add", role, "one")
        yield made


class TestSecurity:
    __test__ = not missing_for_kafka()

    def test_who_has_no_login_is_turned_away(self, kafka: Secured, tmp_path: Path) -> None:
        sensor = kafka.sensor("cz-nren-1")
        assert refused(sensor) == set()
        wrong = tmp_path / "password"
        wrong.write_text("guessed")
        assert "_AUTHENTICATION" in refused(replace(sensor, sasl_password_file=str(wrong)))
        assert "_AUTHENTICATION" in refused(replace(sensor, sasl_username="t.sensor/nobody"))
        assert "_AUTHENTICATION" in refused(replace(sensor, sasl_username="admin"))
        assert refused(replace(sensor, security_protocol="PLAINTEXT"))
        assert refused(replace(sensor, security_protocol="SSL"))

    def test_a_broker_of_another_authority_is_not_believed(
        self, kafka: Secured, tmp_path: Path
    ) -> None:
        other = tmp_path / "ca.pem"
        other.write_bytes(make_authority().certificate)
        assert "_SSL" in refused(replace(kafka.sensor("cz-nren-1"), ssl_ca_file=str(other)))

    def test_the_brokers_own_listeners_want_its_certificate(self, kafka: Secured) -> None:
        ports = kafka.ports()
        assert set(ports) == {"SASL_SSL", "INTERNAL", "CONTROLLER"}
        trusting = ssl.create_default_context(cafile=kafka.admin().ssl_ca_file)
        asks = bytes.fromhex("0000000a00120000000000070000")  # ApiVersions, version 0
        for name in ("INTERNAL", "CONTROLLER"):
            with socket.create_connection(("127.0.0.1", ports[name]), timeout=WITHIN) as plain:
                plain.sendall(asks)
                assert not answered(plain)
            with (
                socket.create_connection(("127.0.0.1", ports[name]), timeout=WITHIN) as plain,
                trusting.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
            ):
                try:
                    tls.sendall(asks)
                except OSError:
                    continue
                assert not answered(tls)

    def test_a_sensor_writes_its_own_topic_and_no_other(self, kafka: Secured) -> None:
        for organisation, own in EVENTS.items():
            writer = Writer(kafka.sensor(f"{organisation}-1"))
            answers = {topic: writer.write(topic) for topic in ALL}
            assert answers == {topic: OK if topic == own else DENIED for topic in ALL}

    def test_a_sensor_reads_nothing_not_even_what_it_wrote(self, kafka: Secured) -> None:
        for organisation in EVENTS:
            settings = kafka.sensor(f"{organisation}-1")
            assert {read(settings, topic) for topic in ALL} == {DENIED}

    def test_a_sensor_is_shown_no_topic_but_its_own(self, kafka: Secured) -> None:
        for organisation, own in EVENTS.items():
            assert seen(kafka.sensor(f"{organisation}-1")) == {own}

    def test_the_topic_of_a_sensor_carries_the_brokers_time(self, kafka: Secured) -> None:
        admin = AdminClient(for_librdkafka(kafka.admin()))
        asked = ConfigResource(ConfigResource.Type.TOPIC, EVENTS["cz-nren"])
        (answer,) = admin.describe_configs([asked]).values()
        assert answer.result(WITHIN)["message.timestamp.type"].value == "LogAppendTime"

    @pytest.mark.parametrize("role", ROLES)
    def test_a_role_reads_and_writes_what_it_needs_and_no_more(
        self, kafka: Secured, role: str
    ) -> None:
        reads, writes = ROLES[role]
        settings = kafka.settings(role, "one")
        writer = Writer(settings)
        written = {topic: writer.write(topic) for topic in ALL}
        found = {topic: read(settings, topic) for topic in ALL}
        assert written == {topic: OK if topic in writes else DENIED for topic in ALL}
        assert found == {topic: OK if topic in reads else DENIED for topic in ALL}

    def test_a_csirt_speaks_for_itself_and_reads_its_own_letters(self, kafka: Secured) -> None:
        admin = AdminClient(for_librdkafka(kafka.admin()))
        names = ("cz-csirt", "cz-csirt-2")
        topics = {f"{PREFIX}{way}.{name}" for way in ("notify", "replies") for name in names}
        for future in admin.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
            future.result(WITHIN)
        for name in names:
            kafka.sightline("principal", "add", "csirt", name)
        for name in names:
            settings = kafka.settings("csirt", name)
            writer = Writer(settings)
            mine = {f"{PREFIX}notify.{name}"}, {f"{PREFIX}replies.{name}"}
            everything = {*ALL, *topics}
            assert {topic for topic in everything if read(settings, topic) == OK} == mine[0]
            assert {topic for topic in everything if writer.write(topic) == OK} == mine[1]

    def test_a_partner_reads_what_is_released_to_it_and_nothing_else(self, kafka: Secured) -> None:
        """Its letters; what alliances are told is read by those that are in one (below)."""
        admin = AdminClient(for_librdkafka(kafka.admin()))
        topics = {f"{PREFIX}{name}" for name in ("notify.acme", "notify.acme-2", "alliance.v9")}
        for future in admin.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
            future.result(WITHIN)
        kafka.sightline("principal", "add", "partner", "acme")
        settings = kafka.settings("partner", "acme")
        writer = Writer(settings)
        everything = {*ALL, *topics}
        assert f"{PREFIX}campaigns" in everything
        assert {topic for topic in everything if read(settings, topic) == OK} == {
            f"{PREFIX}notify.acme"
        }
        assert {writer.write(topic) for topic in everything} == {DENIED}

    def test_a_reader_has_a_consumer_group_of_its_own_and_no_other(self, kafka: Secured) -> None:
        reader, alerts = kafka.settings("reader", "one"), f"{PREFIX}alerts"
        assert joined(reader, "t.reader/one", alerts) == OK
        for group in ("t.reader/two", "t.sightline-intake", "t.sightline-correlate"):
            assert joined(reader, group, alerts) == "GROUP_AUTHORIZATION_FAILED"

    @pytest.mark.parametrize("role", ["sensor", *ROLES])
    def test_nobody_but_the_admin_changes_topics_rights_or_logins(
        self, kafka: Secured, role: str
    ) -> None:
        name = "cz-nren-1" if role == "sensor" else "one"
        settings = kafka.settings(role, name)
        me = AdminClient(for_librdkafka(settings))
        everything = AclBinding(
            ResourceType.TOPIC, "*", ResourcePatternType.LITERAL, f"User:{settings.sasl_username}",
            "*", AclOperation.ALL, AclPermissionType.ALLOW,
        )  # fmt: skip
        password = UserScramCredentialUpsertion(
            "admin", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"mine now"
        )
        tried = [
            *me.create_topics([NewTopic(f"{PREFIX}mine", 1, 1)]).values(),
            *me.delete_topics([f"{PREFIX}alerts", EVENTS["cz-nren"]]).values(),
            *me.create_acls([everything]).values(),
            *me.alter_user_scram_credentials([password]).values(),
        ]
        answers = {future.exception(WITHIN).args[0].name() for future in tried}
        assert answers <= {DENIED, "CLUSTER_AUTHORIZATION_FAILED"}
        assert refused(kafka.admin()) == set()

    def test_a_sensor_that_calls_itself_admin_is_not(self, kafka: Secured) -> None:
        kafka.sightline("sensor", "add", "ke-bank", "--sensor-id", "admin")
        assert Writer(kafka.sensor("admin")).write(f"{PREFIX}alerts") == DENIED
        assert refused(kafka.admin()) == set()
        kafka.sightline("sensor", "revoke", "admin")

    def test_the_same_sensor_of_another_prefix_is_somebody_else(self, kafka: Secured) -> None:
        other = kafka.at("x.")
        other.sightline("sensor", "add", "cz-nren", "--country", "CZ", "--sensor-id", "cz-nren-1")
        writer = Writer(other.sensor("cz-nren-1"))
        assert writer.write("x.events.cz.cz-nren") == OK
        assert writer.write(EVENTS["cz-nren"]) == DENIED
        assert Writer(kafka.sensor("cz-nren-1")).write(EVENTS["cz-nren"]) == OK

    def test_a_revoked_sensor_is_out_at_once_though_it_is_connected(self, kafka: Secured) -> None:
        kafka.sightline("sensor", "add", "ke-bank", "--sensor-id", "liar")
        topic, liar = EVENTS["ke-bank"], kafka.sensor("liar")
        connected, honest = Writer(liar), Writer(kafka.sensor("ke-bank-1"))
        assert (connected.write(topic), honest.write(topic)) == (OK, OK)
        assert "liar" in kafka.sensors.read_text()
        kafka.sightline("sensor", "revoke", "liar")
        assert connected.write(topic) == DENIED
        assert "_AUTHENTICATION" in refused(liar)
        assert honest.write(topic) == OK
        assert "liar" not in files.registry_of(kafka.sensors, PREFIX).sensors
        assert state_of(kafka, "liar") == "revoked"

    def test_what_is_allowed_to_all_is_not_allowed_to_who_is_revoked(self, kafka: Secured) -> None:
        kafka.sightline("sensor", "add", "br-uni", "--sensor-id", "out")
        topic, connected = EVENTS["br-uni"], Writer(kafka.sensor("out"))
        assert connected.write(topic) == OK
        admin = AdminClient(for_librdkafka(kafka.admin()))
        to_all = AclBinding(
            ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, "User:*", "*",
            AclOperation.WRITE, AclPermissionType.ALLOW,
        )  # fmt: skip
        admin.create_acls([to_all])[to_all].result(WITHIN)
        try:
            kafka.sightline("sensor", "revoke", "out")
            assert connected.write(topic) == DENIED
        finally:
            for done in admin.delete_acls([exactly(to_all)]).values():
                done.result(WITHIN)

    def test_a_revoked_reader_that_is_connected_sees_no_further_alert(self, kafka: Secured) -> None:
        kafka.sightline("principal", "add", "reader", "gone")
        reader = Reader(kafka.settings("reader", "gone"), f"{PREFIX}alerts")
        assert reader.to_end() == OK
        kafka.sightline("principal", "revoke", "reader", "gone")
        assert Writer(kafka.admin()).write(f"{PREFIX}alerts") == OK
        answers = set()
        while DENIED not in answers:
            answers.add(reader.next())
        reader.close()
        assert RECORD not in answers
        assert "_AUTHENTICATION" in refused(kafka.settings("reader", "gone"))

    def test_who_was_revoked_comes_back_only_where_that_is_said(self, kafka: Secured) -> None:
        again = ("sensor", "add", "ke-bank", "--sensor-id", "back")
        kafka.sightline(*again)
        assert "has a login" in kafka.sightline(*again, status=2)
        kafka.sightline("sensor", "revoke", "back")
        assert "was revoked; --renew" in kafka.sightline(*again, status=2)
        kafka.sightline(*again, "--renew")
        assert Writer(kafka.sensor("back")).write(EVENTS["ke-bank"]) == OK
        kafka.sightline("sensor", "revoke", "back")
        kafka.sightline("sensor", "add", "br-uni", "--sensor-id", "br-uni-2")
        kafka.sightline("sensor", "revoke", "br-uni-2")
        # An id that is made up is nobody's old one.
        assert "sensor   br-uni-3 " in kafka.sightline("sensor", "add", "br-uni")
        kafka.sightline("sensor", "revoke", "br-uni-3")

    def test_the_old_password_ends_with_a_new_one(self, kafka: Secured, tmp_path: Path) -> None:
        before = kafka.settings("partner", "one")
        old = tmp_path / "password"
        old.write_bytes(Path(before.sasl_password_file).read_bytes())
        kafka.sightline("principal", "add", "partner", "one", "--renew")
        assert "_AUTHENTICATION" in refused(replace(before, sasl_password_file=str(old)))
        assert refused(kafka.settings("partner", "one")) == set()

    def test_a_right_that_a_sensor_should_not_have_is_shown(self, kafka: Secured) -> None:
        assert state_of(kafka, "cz-nren-1") == "ready"
        admin = AdminClient(for_librdkafka(kafka.admin()))
        more = AclBinding(
            ResourceType.TOPIC, EVENTS["ke-bank"], ResourcePatternType.LITERAL,
            "User:t.sensor/cz-nren-1", "*", AclOperation.WRITE, AclPermissionType.ALLOW,
        )  # fmt: skip
        admin.create_acls([more])[more].result(WITHIN)
        assert state_of(kafka, "cz-nren-1") == "HAS MORE RIGHTS THAN IT SHOULD"
        kafka.sightline("sensor", "add", "cz-nren", "--sensor-id", "cz-nren-1", "--renew")
        assert state_of(kafka, "cz-nren-1") == "ready"
        assert Writer(kafka.sensor("cz-nren-1")).write(EVENTS["ke-bank"]) == DENIED

    def test_a_sensor_cannot_administer_and_is_told_so_in_one_line(self, kafka: Secured) -> None:
        config = str(kafka.folder / "handover" / "t.sensor-cz-nren-1" / "sightline.toml")
        for command in (("list",), ("add", "ke-bank"), ("revoke", "ke-bank-1")):
            said = kafka.sightline("sensor", *command, "--config", config, status=1)
            assert said.count("\n") == 1
            assert "does not let t.sensor/cz-nren-1 change rights" in said

    def test_alerts_over_tls_by_workers_that_may_do_no_more_than_they_must(
        self, kafka: Secured, tmp_path: Path
    ) -> None:
        kafka = kafka.at("p.")  # of its own: the other tests write what they may
        topics = {
            name: f"p.events.{country.lower()}.{name}" for name, country in ORGANISATIONS.items()
        }
        for name, country in ORGANISATIONS.items():
            kafka.sightline("sensor", "add", name, "--country", country)
        kafka.sightline("sensor", "add", "br-uni", "--sensor-id", "liar")
        for role in ("intake", "correlate", "campaign", "reader", "operator"):
            kafka.sightline("principal", "add", role, "one")
        rules = tmp_path / "rules.yml"
        rules.write_text(THREE_COUNTRIES)

        def worker(stage: str) -> Child:
            settings = replace(
                kafka.settings(stage, "one"), metrics_port=0, rules=str(rules),
                checkpoint_interval="500ms",
            )  # fmt: skip
            environment = settings.environment()
            return Child("-m", "pipeline", "worker", "--stage", stage, environment=environment)

        def send(sensor: str, organisation: str, message: bytes) -> None:
            assert Writer(kafka.sensor(sensor)).write(topics[organisation], message) == OK

        def caught_up(*, grouped: bool = False) -> None:
            registry = files.registry_of(kafka.sensors, "p.")
            asyncio.run(observe.wait_until_caught_up(kafka.admin(), registry, 120, grouped=grouped))

        with worker("intake"), worker("correlate"), worker("campaign"):
            for organisation in ("cz-nren", "ke-bank", "br-uni"):
                send(f"{organisation}-1", organisation, event(f"{organisation}-1"))
            caught_up(grouped=True)
        (found,) = observe.final(asyncio.run(observe.alerts(kafka.settings("reader", "one"))))
        assert found[2] == "198.41.0.4"
        assert found[5:] == (("BR", "CZ", "KE"), ("br-uni", "cz-nren", "ke-bank"))
        # A sensor speaks as another organisation's, and one as a revoked one of its own.
        kafka.sightline("sensor", "revoke", "liar")
        as_other, as_revoked = event("ke-bank-1", ip="198.41.0.5"), event("liar", ip="198.41.0.5")
        with worker("intake"), worker("correlate"):
            send("cz-nren-1", "cz-nren", as_other)
            send("br-uni-1", "br-uni", as_revoked)
            caught_up()
        letters = asyncio.run(letters_of(kafka.settings("operator", "one")))
        assert {(str(letter.reason), letter.raw) for letter in letters} == {
            ("foreign-sensor", as_other),
            ("unknown-sensor", as_revoked),
        }
        # It is let in again, and the operator sends in again what was rejected of it.
        kafka.sightline("sensor", "add", "br-uni", "--sensor-id", "liar", "--renew")
        operator = str(kafka.folder / "handover" / "p.operator-one" / "sightline.toml")
        resend = ("dead-letters", "resend", "--reason", "unknown-sensor", "--insist", "--yes")
        kafka.sightline(*resend, "--config", operator)
        again = asyncio.run(events_of(kafka.admin(), topics["br-uni"]))
        assert again.count(as_revoked) == 2

    def test_an_alliance_is_told_by_its_members_and_read_by_nobody_else(
        self, kafka: Secured, tmp_path: Path
    ) -> None:
        """Seen in CZ, KE and BR; CZ, BR and SK are allied, KE is not: it neither gives nor reads.
        SK is warned before it is hit. Then BR leaves, by its own key, which stops the future only.
        """
        kafka = kafka.at("v.")  # of its own: the other tests write what they may
        kafka.sensors.write_text(
            "".join(
                f'[[organisation]]\nid = "{name}"\ncountry = "{country}"\nname = "N"\n'
                'tlp = "AMBER"\nreleasable_to = ["alliance:v4"]\n'
                f'[[organisation.sensor]]\nid = "{name}-1"\n'
                for name, country in ORGANISATIONS.items()
            )
        )
        folder, audit, lead, brs = (
            tmp_path / n for n in ("alliances", "audit.jsonl", "lead.pem", "br.pem")
        )
        make_key(brs, tmp_path / "br.public.pem")
        config = kafka.directory / "admin" / "sightline.toml"
        own = tmp_path / "sightline.toml"
        beside = replace(
            load(config, {}, topic_prefix="v.", sensors=str(kafka.sensors)),
            alliances=str(folder), audit_log=str(audit), metrics_port=0, canary_interval="0s",
        )  # fmt: skip

        def sightline(*arguments: str) -> str:
            # In this process: a new one takes longer to start than any of these commands.
            done = CliRunner().invoke(cli, [*arguments, "--config", str(own)])
            kafka.said.append(done.output)
            assert done.exit_code == 0, (done.output, done.exception)
            return done.stdout

        own.write_text(
            "".join(
                f"{key} = {json.dumps(getattr(beside, key))}\n"
                for key in ("broker", "security_protocol", "ssl_ca_file", "sasl_username",
                            "sasl_password_file", "topic_prefix", "sensors", "alliances", "audit_log",
                            "canary_interval")
            )
        )  # fmt: skip
        key = ("--key", str(lead))
        sightline("alliance", "create", "v4", *key, "--member", "CZ", "--member", "sk-cert@SK")
        sightline(
            "alliance", "add", "v4", "br-uni", *key, "--theirs", str(tmp_path / "br.public.pem")
        )
        assert "2 versions" in sightline("alliance", "verify", "v4")
        sightline("topics")
        for name in ("sk-cert", "br-uni", "ke-bank"):
            sightline("principal", "add", "member", name, "--out", str(kafka.folder / "handover"))
        sightline("principal", "add", "alliances", "one", "--out", str(kafka.folder / "handover"))
        for name in ("br-uni", "ke-bank"):
            sightline("principal", "add", "partner", name, "--out", str(kafka.folder / "handover"))
        partners = {name: kafka.settings("partner", name) for name in ("br-uni", "ke-bank")}
        topic = "v.alliance.v4"
        members = {
            name: kafka.settings("member", name) for name in ("sk-cert", "br-uni", "ke-bank")
        }
        settings = replace(
            kafka.settings("alliances", "one"), sensors=str(kafka.sensors), alliances=str(folder),
            audit_log=str(audit), metrics_port=0, canary_interval="0s",
        )  # fmt: skip
        worker = Child(
            "-m", "pipeline", "worker", "--stage", "alliances", environment=settings.environment()
        )

        def told(campaign: Campaign) -> None:
            producer = Producer(for_librdkafka(kafka.admin()))
            producer.produce("v.campaigns", campaigns.encode(campaign), campaign.id.encode())
            assert producer.flush(WITHIN) == 0

        def heard(by: Settings, count: int) -> list[Campaign]:
            async def all_of() -> list[Campaign]:
                found = [record async for _, _, record in everything(by, topic)]
                return [campaigns.decode(record) for record in found if record]

            return until(lambda: f if len(f := asyncio.run(all_of())) >= count else [], "told", 60)

        with worker:
            told(seen_by("198.41.0.4", "cz-nren", "ke-bank", "br-uni"))
            (first,) = heard(members["sk-cert"], 1)
            assert first.organisations == ("br-uni", "cz-nren")
            assert first.tlp is Tlp.AMBER
            assert b"ke-bank" not in campaigns.encode(first)
            assert read(members["br-uni"], topic) == OK
            assert read(members["ke-bank"], topic) == DENIED
            assert read(partners["br-uni"], topic) == OK
            assert read(partners["ke-bank"], topic) == DENIED
            assert {
                read(each, "v.campaigns") for each in (*members.values(), *partners.values())
            } == {DENIED}
            sightline("alliance", "leave", "v4", "br-uni", "--key", str(brs))
            said = sightline("alliance", "access")
            assert "v.member/br-uni" in said
            assert "reads nothing" in said
            assert read(members["br-uni"], topic) == DENIED
            assert read(partners["br-uni"], topic) == DENIED
            told(seen_by("198.41.0.5", "br-uni"))
            told(seen_by("198.41.0.6", "cz-nren", "br-uni"))
            latest = heard(members["sk-cert"], 3)
        assert latest[0] == first
        assert {one.indicators[0].value: one.organisations for one in latest[1:]} == {
            "198.41.0.4": ("cz-nren",),
            "198.41.0.6": ("cz-nren",),
        }
        assert "whole" in sightline("audit", "verify")
        entries = [
            json.loads(line)
            for line in sightline("audit", "show", "--action", "released", "--json").splitlines()
        ]
        assert [(one["about"], one["facts"]["version"]) for one in entries] == [
            (first.id, 2), *((one.id, 3) for one in latest[1:]),
        ]  # fmt: skip

    def test_no_password_is_shown_logged_or_readable_by_others(self, kafka: Secured) -> None:
        handed = [kafka.directory / "admin", *(kafka.folder / "handover").iterdir()]
        passwords = {(folder / "password").read_bytes().strip() for folder in handed}
        assert len(passwords) == len(handed) > len(ROLES)
        for folder in handed:
            assert folder.stat().st_mode & 0o077 == 0
            for file in folder.iterdir():
                assert file.stat().st_mode & 0o777 == 0o600
                told = file.name in {"password", "join.toml"}
                assert told == holds(file.read_bytes(), passwords)
        assert kafka.directory.stat().st_mode & 0o077 == 0
        for file in kafka.directory.rglob("*"):
            # An index has numbers only, and much room for more of them.
            if file.is_file() and file.parent.name != "admin" and "index" not in file.suffix:
                assert not holds(file.read_bytes(), passwords), file.name
        assert not holds("".join(kafka.said).encode(), passwords)
        jvm = Path("/proc") / (kafka.directory / "jvm.pid").read_text().strip()
        if jvm.exists():
            assert not holds((jvm / "cmdline").read_bytes(), passwords)
            assert not holds((jvm / "environ").read_bytes(), passwords)

    def test_a_restart_keeps_logins_and_rights_and_a_secure_broker_stays_one(
        self, tmp_path: Path
    ) -> None:
        with secured(tmp_path) as first:
            first.sightline("sensor", "add", "cz-nren", "--country", "CZ")
            password = (first.directory / "admin" / "password").read_bytes()
        with pytest.raises(ChildFailed, match="was made with --secure: start it with --secure"):
            Child(
                "-m", "pipeline.shell.broker", "--dir", str(first.directory), "--port", "0"
            ).start()
        with secured(tmp_path) as second:
            assert (second.directory / "admin" / "password").read_bytes() == password
            assert state_of(second, "cz-nren-1") == "ready"
            sensor = replace(second.sensor("cz-nren-1"), broker=second.child.ready)
            assert Writer(sensor).write(EVENTS["cz-nren"]) == OK
            assert Writer(sensor).write(f"{PREFIX}alerts") == DENIED

    def test_a_broker_without_access_control_is_told_from_one_with_it(self, tmp_path: Path) -> None:
        directory = tmp_path / "open"
        arguments = ("--dir", str(directory), "--port", "0")
        with Child("-m", "pipeline.shell.broker", *arguments, ready_within=120) as plain:
            (directory / "admin").mkdir()
            (directory / "admin" / "sightline.toml").write_text(f'broker = "{plain.ready}"')
            told = Secured(tmp_path, plain)
            (tmp_path / "broker").symlink_to(directory)
            said = told.sightline("sensor", "add", "cz-nren", "--country", "CZ", status=1)
        assert said.count("\n") == 1
        assert "has no access control" in said
        assert not told.sensors.exists()
        with pytest.raises(ChildFailed, match="was made without --secure: take another --dir"):
            Child("-m", "pipeline.shell.broker", "--secure", *arguments).start()


def answered(connection: socket.socket) -> bool:
    """Whether somebody at the other end says anything but that it hangs up."""
    try:
        # A TLS alert in plain text is no answer of Kafka's: a response begins with its length.
        return connection.recv(64)[:1] == b"\x00"
    except OSError:
        return False


async def events_of(settings: Settings, topic: str) -> list[bytes]:
    return [value async for value in observe.read_topic(settings, topic)]


async def letters_of(settings: Settings) -> list[dead_letter.DeadLetter]:
    topic = settings.topic("dead-letters")
    return [dead_letter.decode(value) async for value in observe.read_topic(settings, topic)]


def seen_by(ip: str, *organisations: str) -> Campaign:
    """A campaign of one address that some organisations saw lately."""
    now = time.time_ns() // 1_000_000
    rows = tuple(
        Seen("ip", ip, one, ORGANISATIONS[one], now - 60_000 + n, now - 30_000, 1)
        for n, one in enumerate(organisations)
    )
    return Campaign(
        id=campaigns.identity(("ip", ip)), status=Status.OPEN, first_seen=now - 60_000,
        last_seen=now - 30_000, indicators=(Member("ip", ip),),
        countries=tuple(sorted({row.country for row in rows})),
        organisations=tuple(sorted(organisations)), alerts=("one",), severity=4, confidence=90,
        p_value=0.001, reasons=(), tlp=Tlp.AMBER_STRICT, first_told=now, grown_at=now,
        confidence_word="very likely", admiralty="B2", corroboration=(), sightings=rows,
    )  # fmt: skip


def state_of(kafka: Secured, sensor: str) -> str:
    (row,) = [
        row for row in kafka.sightline("sensor", "list").splitlines() if row.split()[0] == sensor
    ]
    return row.split(maxsplit=4)[4]


def holds(content: bytes, secrets: set[bytes]) -> bool:
    return any(secret in content for secret in secrets)


def exactly(rule: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        rule.restype, rule.name, rule.resource_pattern_type, rule.principal, rule.host,
        rule.operation, rule.permission_type,
    )  # fmt: skip
