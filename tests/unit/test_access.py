"""Roles and what they are granted; hand-overs, certificates and how clients are told of them."""

from __future__ import annotations

import json
import os
import ssl
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from msgspec.structs import replace

from pipeline.shell.access import broker_security
from pipeline.shell.access.certificates import BROKER_DAYS, make_authority, make_broker
from pipeline.shell.access.grants import Grant, Principal, Role, check_name, grants, principal_of
from pipeline.shell.access.handover import new_password, write_handover, write_private
from pipeline.shell.kafka_install import BrokerFailed
from pipeline.shell.security import for_aiokafka, for_faust, for_librdkafka, password
from pipeline.shell.settings import Settings, WrongUseError, load

PREFIXED = Settings(topic_prefix="x.")


def test_a_sensor_may_write_one_topic() -> None:
    sensor = Principal(Role.SENSOR, "s")
    assert grants(sensor, PREFIXED, "x.events.cz.a") == {Grant("topic", "x.events.cz.a", "WRITE")}


def test_a_worker_may_do_what_its_stages_may() -> None:
    stages = (Role.INTAKE, Role.CORRELATE, Role.CAMPAIGN, Role.SHARE, Role.ALLIANCES)
    of = {role: grants(Principal(role, "w"), PREFIXED) for role in (*stages, Role.WORKER)}
    assert of[Role.WORKER] == frozenset().union(*(of[role] for role in stages))
    intake, correlate = of[Role.INTAKE], of[Role.CORRELATE]
    assert intake - correlate
    assert correlate - intake


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.SENSOR}))
def test_no_role_reaches_beyond_its_prefix(role: Role) -> None:
    for grant in grants(Principal(role, "one"), PREFIXED):
        assert grant.name.startswith("x.")
        families = {
            f"x.{family}." for family in ("events", "notify", "feed", "replies", "alliance")
        }
        assert not grant.prefixed or grant.name in families


def test_a_csirt_may_read_its_letters_and_write_its_own_word() -> None:
    may = grants(Principal(Role.CSIRT, "cz"), PREFIXED)
    assert may == {
        Grant("topic", "x.notify.cz", "READ"),
        Grant("group", "x.csirt/cz", "READ"),
        Grant("topic", "x.replies.cz", "WRITE"),
    }


@pytest.mark.parametrize("prefix", ["", "x.", "sensor", "a-sensor."])
def test_a_user_is_of_one_principal(prefix: str) -> None:
    users = set()
    for role in Role:
        principal = Principal(role, "a.b-c_1")
        users.add(principal.user(prefix))
        assert principal_of(principal.user(prefix), prefix) == principal
    assert len(users) == len(Role)
    for other in ("admin", "CN=sightline-broker", "other.sensor/x", f"{prefix}thing/x", ""):
        assert principal_of(other, prefix) is None


def test_no_role_ends_with_another() -> None:
    assert not [(a, b) for a in Role for b in Role if a != b and a.endswith(b)]


@pytest.mark.parametrize("name", ["", "a/b", "a b", "ü", "-a", ".", "a,b", "a=b", "a" * 129, "a\n"])
def test_names_that_would_be_read_in_two_ways(name: str) -> None:
    with pytest.raises(WrongUseError, match="for a login it may hold"):
        check_name("sensor", name)
    check_name("sensor", "cz-nren-hp_1.b")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "made.pem"
    path.write_bytes(make_authority().certificate)
    return path


def test_a_handover_is_settings_that_only_its_owner_reads(tmp_path: Path, authority: Path) -> None:
    mine = Settings(
        broker="kafka:9093", security_protocol="SASL_SSL", ssl_ca_file=str(authority),
        sasl_username="admin", sasl_password_file="/nowhere", topic_prefix="x.",
    )  # fmt: skip
    before = os.umask(0)
    try:
        config = write_handover(tmp_path / "out", mine, "x.sensor/s", "geheim")
    finally:
        os.umask(before)
    assert config.parent.stat().st_mode & 0o777 == 0o700
    assert {f.name: f.stat().st_mode & 0o777 for f in config.parent.iterdir()} == {
        "sightline.toml": 0o600, "password": 0o600, "ca.pem": 0o600,
    }  # fmt: skip
    assert "geheim" not in config.read_text()
    theirs = load(config, {})
    assert (theirs.broker, theirs.sasl_username, theirs.topic_prefix) == (
        "kafka:9093", "x.sensor/s", "x.",
    )  # fmt: skip
    assert password(theirs) == "geheim"
    assert Path(theirs.ssl_ca_file).read_bytes() == authority.read_bytes()


def test_a_private_file_is_never_half_written(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


def test_passwords_are_long_and_need_no_escape() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(each) >= 43 and json.dumps(each) == f'"{each}"' for each in made)
    assert not any(set(each) & set(",=[] ") for each in made)


def secure(tmp_path: Path, authority: Path, text: str = "geheim\n") -> Settings:
    path = tmp_path / "password"
    path.write_text(text)
    return Settings(
        security_protocol="SASL_SSL", ssl_ca_file=str(authority), sasl_username="u",
        sasl_password_file=str(path),
    )  # fmt: skip


def test_every_client_is_told_the_same(tmp_path: Path, authority: Path) -> None:
    settings = secure(tmp_path, authority)
    asynchronous = for_aiokafka(settings)
    context = asynchronous.pop("ssl_context")
    assert asynchronous == {
        "bootstrap_servers": settings.broker,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "u",
        "sasl_plain_password": "geheim",
    }
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    faust = for_faust(settings)
    assert (faust.username, faust.password) == ("u", "geheim")
    assert (faust.protocol.value, faust.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert "geheim" not in repr(faust)
    native = for_librdkafka(settings)
    assert (native["sasl.username"], native["sasl.password"]) == ("u", "geheim")
    assert native["ssl.ca.location"] == str(authority)


def test_tls_without_a_login(authority: Path) -> None:
    settings = Settings(security_protocol="SSL", ssl_ca_file=str(authority))
    assert set(for_aiokafka(settings)) == {"bootstrap_servers", "security_protocol", "ssl_context"}
    assert for_faust(settings).protocol.value == "SSL"
    assert "sasl.username" not in for_librdkafka(settings)
    assert for_faust(Settings()) is None
    assert for_aiokafka(Settings()) == {"bootstrap_servers": "127.0.0.1:9092"}


@pytest.mark.parametrize("text", ["", "\n", "a\nb\n", "x" * 5000])
def test_a_password_file_that_holds_no_password(tmp_path: Path, authority: Path, text: str) -> None:
    with pytest.raises(WrongUseError, match="it must hold one line, the secret itself"):
        password(secure(tmp_path, authority, text))


def test_files_that_cannot_be_read_are_named(tmp_path: Path, authority: Path) -> None:
    settings = secure(tmp_path, authority)
    with pytest.raises(WrongUseError, match=r"sasl_password_file .*none: No such file"):
        password(replace(settings, sasl_password_file=str(tmp_path / "none")))
    with pytest.raises(WrongUseError, match=r"ssl_ca_file .*none: No such file"):
        for_librdkafka(replace(settings, ssl_ca_file=str(tmp_path / "none")))
    (tmp_path / "bad.pem").write_text("nothing")
    with pytest.raises(WrongUseError, match="no PEM certificate"):
        for_aiokafka(replace(settings, ssl_ca_file=str(tmp_path / "bad.pem")))


def test_a_password_is_no_setting(tmp_path: Path, authority: Path) -> None:
    settings = secure(tmp_path, authority)
    assert not [name for name in Settings.__struct_fields__ if name.endswith("password")]
    assert "geheim" not in repr(settings)
    assert "geheim" not in str(settings.environment())
    assert load(environment=settings.environment()) == settings


def test_files_of_a_login_lie_beside_their_settings(tmp_path: Path) -> None:
    config = tmp_path / "s.toml"
    config.write_text(
        'security_protocol = "SASL_SSL"\nssl_ca_file = "ca.pem"\n'
        'sasl_username = "u"\nsasl_password_file = "/run/secrets/password"\n'
    )
    settings = load(config, {})
    assert settings.ssl_ca_file == str(tmp_path / "ca.pem")
    assert settings.sasl_password_file == "/run/secrets/password"
    assert load(config, {"SIGHTLINE_SSL_CA_FILE": "other.pem"}).ssl_ca_file == "other.pem"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SASL_USERNAME": "u"}, "sasl_username is set: then security_protocol must be SASL_SSL"),
        ({"SASL_PASSWORD_FILE": "p", "SECURITY_PROTOCOL": "SSL"}, "sasl_password_file is set"),
        ({"SSL_CA_FILE": "c"}, "ssl_ca_file is set: then security_protocol must be SSL or SASL_SSL"),
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "then sasl_username must be set"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "u"}, "sasl_password_file must be set"),
        ({"SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "security_protocol"),
    ],
)  # fmt: skip
def test_half_a_login_is_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUseError) as caught:
        load(environment={f"SIGHTLINE_{name}": value for name, value in environment.items()})
    assert said in str(caught.value)


def test_a_certificate_names_its_addresses_and_is_vouched_for() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    authority = make_authority(now)
    made = make_broker(authority, "sightline-broker", ["127.0.0.1", "localhost"], now)
    leaf = x509.load_pem_x509_certificate(made.certificate)
    root = x509.load_pem_x509_certificate(authority.certificate)
    leaf.verify_directly_issued_by(root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert leaf.subject.rfc4514_string() == "CN=sightline-broker"
    assert leaf.not_valid_before_utc < now
    assert timedelta(BROKER_DAYS - 1) < leaf.not_valid_after_utc - now < timedelta(BROKER_DAYS)
    constraints = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca
    assert b"PRIVATE KEY" not in made.certificate


def test_a_broker_is_prepared_once_and_its_certificate_at_each_start(tmp_path: Path) -> None:
    def files() -> dict[str, bytes]:
        return {
            path.name: path.read_bytes()
            for path in (*(tmp_path / "tls").iterdir(), *(tmp_path / "admin").iterdir())
        }

    assert not broker_security.is_secure(tmp_path)
    broker_security.prepare(tmp_path, "127.0.0.1", 1)
    first = files()
    broker_security.prepare(tmp_path, "127.0.0.1", 2)
    second = files()
    assert {name for name in first if first[name] != second[name]} == {
        "broker.pem", "sightline.toml",
    }  # fmt: skip
    assert broker_security.admin_settings(tmp_path).broker == "127.0.0.1:2"
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    arguments = broker_security.format_arguments(tmp_path)
    assert arguments.stat().st_mode & 0o777 == 0o600
    broker_security.forget_arguments(tmp_path)
    assert not arguments.exists()
    with pytest.raises(BrokerFailed, match="start it with --secure"):
        broker_security.refuse_a_change(tmp_path, secure=False, formatted=True)
    broker_security.refuse_a_change(tmp_path, secure=True, formatted=True)


def test_the_brokers_properties_allow_nothing_unsaid() -> None:
    lines = broker_security.properties("127.0.0.1", 1, 2, 3).splitlines()
    said = dict(line.split("=", 1) for line in lines)
    assert said["allow.everyone.if.no.acl.found"] == "false"
    assert said["authorizer.class.name"].endswith("StandardAuthorizer")
    assert said["super.users"] == "User:CN=sightline-broker;User:admin"
    assert "PLAINTEXT" not in "".join(lines)
    for listener in ("internal", "controller"):
        assert said[f"listener.name.{listener}.ssl.client.auth"] == "required"


def test_a_handover_needs_no_escape(tmp_path: Path, authority: Path) -> None:
    mine = Settings(broker='a"b:1', security_protocol="SSL", ssl_ca_file=str(authority))
    config = write_handover(tmp_path / "out", mine, "u", "p")
    assert tomllib.loads(config.read_text())["broker"] == 'a"b:1'
