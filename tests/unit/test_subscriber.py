"""Delivery files, suppressions, and where anything may be sent."""

from __future__ import annotations

import pytest

from pipeline.share.filter import Fault, parse
from pipeline.share.subject import of_campaign
from pipeline.share.subscriber import allowed, read
from pipeline.share.suppression import MOST, Suppression, Suppressions, preview
from tests.unit.telling import campaign

GOOD = """
[mail]
host = "smtp.example.org"
sender = "sightline@example.org"
username = "sightline"
password_file = "smtp.password"
[webhooks]
hosts = ["hooks.example.org", "other.example:8443"]
[[subscriber]]
id = "soc"
sees = "*"
hears = ["campaigns", "alerts"]
where = "severity >= high"
countries = ["CZ"]
topic = true
email = "soc@example.org"
digest = "1h"
webhook = "https://hooks.example.org/x"
webhook_secret_file = "secret"
"""


def test_a_delivery_file() -> None:
    found, problems = read(GOOD, "delivery.toml")
    assert problems == []
    assert found is not None
    (one,) = found.subscribers
    assert one.digest_ms == 3_600_000
    condition = one.condition
    assert not isinstance(condition, Fault)
    assert condition.holds(of_campaign(campaign("cz", severity=4)))
    assert not condition.holds(of_campaign(campaign("cz", severity=3)))
    assert not condition.holds(of_campaign(campaign("ke", severity=4)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('sees = "*"', 'sees = "org"'), "alerts cannot be cut to a view"),
        (("severity >= high", "sverity >= high"), "its filter, at character 1: there is no field 'sverity'"),
        (('digest = "1h"', 'digest = "often"'), "digest 'often' is no duration"),
        (("https://hooks.example.org/x", "http://hooks.example.org/x"), "webhook is not to one of webhooks.hosts"),
        (("https://hooks.example.org/x", "https://169.254.169.254/x"), "webhook is not to one of webhooks.hosts"),
        (('webhook_secret_file = "secret"', ""), "webhook_secret_file must be, too"),
        (('host = "smtp.example.org"', 'host = "smtp.example.org"\ntls = "none"'), "without TLS only to loopback"),
        (('password_file = "smtp.password"', ""), "username and password_file belong together"),
        (('id = "soc"', 'id = "Soc"'), "an id may hold a-z"),
        (("[webhooks]", "[webhook]"), "unknown field `webhook`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(change: tuple[str, str], said: str) -> None:
    assert change[0] in GOOD
    found, problems = read(GOOD.replace(*change), "d.toml")
    assert found is None
    assert any(said in str(problem) for problem in problems), problems


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://hooks.example/x", True), ("https://HOOKS.example:443/", True), ("https://hooks.example?x", True),
        ("https://hooks.example:444/", False), ("https://port.example:8443/", True), ("https://port.example/", False),
        ("http://hooks.example/", False), ("https://hooks.example@evil.example/", False),
        ("https://hooks.example.evil.example/", False), ("https://hooks.example\\@evil.example/", False),
        ("https://evil.example/https://hooks.example/", False), ("https://hooks.example/ x", False),
        ("https://hooks.example/\r\nX: y", False), ("//hooks.example/", False), ("", False),
    ],
)  # fmt: skip
def test_where_a_webhook_may_go(url: str, may: bool) -> None:
    assert allowed(url, ("hooks.example", "port.example:8443")) is may


def test_a_suppression_holds_from_its_beginning_to_its_end() -> None:
    one = Suppressions([Suppression("s", "country = CZ", 10, 20, "ann")])
    subject = of_campaign(campaign("cz"))
    assert [at for at in (9, 10, 19, 20) if one.hiding(subject, at)] == [10, 19]
    assert one.hiding(of_campaign(campaign("ke")), 15) is None
    one.remove("s")
    assert one.hiding(subject, 15) is None


def test_suppressions_are_bounded_and_one_that_is_no_filter_hides_nothing() -> None:
    one = Suppressions()
    assert not one.put(Suppression("s", "nonsense", 0, 9, "ann"))
    assert all(one.put(Suppression(f"s-{n}", "country = DE", 0, 9, "ann")) for n in range(MOST))
    assert not one.put(Suppression("more", "country = CZ", 0, 9, "ann"))
    assert one.put(Suppression("s-0", "country = CZ", 0, 9, "ann")), "in the place of another"
    assert one.hiding(of_campaign(campaign("cz")), 1)


def test_a_preview_counts_each_once() -> None:
    condition = parse("country = CZ")
    assert not isinstance(condition, Fault)
    newest = {land: of_campaign(campaign(land)) for land in ("cz", "ke", "br")}
    assert preview(condition, newest) == (1, 3)
