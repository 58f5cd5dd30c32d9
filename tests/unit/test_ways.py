"""Letters by webhook, mail and syslog, to real servers on loopback."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pysequoia
import pytest

from pipeline.share import letter as letters
from pipeline.share import signature
from pipeline.share.ledger import Failure
from pipeline.share.letter import Letter, Told, letter
from pipeline.share.route import Victim
from pipeline.share.subscriber import Mail, Syslog, Webhooks
from pipeline.shell.notify.collector import Collector
from pipeline.shell.notify.mail import Mailbox, Post, mailbox
from pipeline.shell.notify.sources import secret_in
from pipeline.shell.notify.webhook import Webhook
from pipeline.shell.processes import until
from pipeline.shell.settings import WrongUseError
from tests.receivers import (
    Authority,
    Hooked,
    Mailed,
    authority,
    mail_server,
    opened,
    syslog_tls,
    syslog_udp,
    webhooks,
)
from tests.unit.telling import campaign

KEY = bytes(range(32))
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def told(tlp: str = "AMBER", revision: int = 1, to: str = "cz-csirt") -> Letter:
    view = campaign("cz", "ke", tlp=tlp)
    mine = (Victim("CZ", "org-cz"),)
    return letter(to, 1_700_000_000_000, Told(view.id, revision, mine, view))


@pytest.fixture(scope="module")
def by(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def hook(by: Authority) -> Iterator[Hooked]:
    with webhooks(by) as hooked:
        yield hooked


@pytest.fixture
def server(by: Authority) -> Iterator[Mailed]:
    with mail_server(by) as mailed:
        yield mailed


def client(by: Authority, hook: Hooked, *hosts: str) -> Webhook:
    return Webhook(Webhooks(hosts or (f"localhost:{hook.port}",), str(by.ca)))


async def test_a_webhook_can_be_checked_by_whoever_has_the_secret(
    by: Authority, hook: Hooked
) -> None:
    one = told()
    sender = client(by, hook)
    for _ in range(2):  # sent again, it has the same id
        assert await sender.send(f"https://localhost:{hook.port}/hook", KEY, one) is None
    await sender.close()
    (headers, body), (again, _) = hook.came
    assert letters.decode(body) == one
    assert headers["webhook-id"] == again["webhook-id"] == one.id
    now = int(time.time())
    assert signature.is_genuine(KEY, headers, body, now)
    assert not signature.is_genuine(KEY, headers, body + b" ", now)
    assert not signature.is_genuine(KEY, headers | {"webhook-id": "x"}, body, now)
    assert not signature.is_genuine(KEY, headers, body, now + 301)
    assert not signature.is_genuine(b"other" * 8, headers, body, now)


@pytest.mark.parametrize(
    ("answer", "means"),
    [(200, None), (500, Failure.BUSY), (429, Failure.BUSY), (404, Failure.REFUSED),
     (302, Failure.REFUSED), (410, Failure.REFUSED)],
)  # fmt: skip
async def test_what_a_webhook_answers(
    by: Authority, hook: Hooked, answer: int, means: Failure | None
) -> None:
    hook.answers = [answer]
    sender = client(by, hook)
    assert await sender.send(f"https://localhost:{hook.port}/hook", KEY, told()) is means
    await sender.close()
    assert len(hook.came) == 1, "a redirect is not followed"


async def test_a_webhook_goes_to_named_hosts_that_prove_their_name(
    by: Authority, hook: Hooked, tmp_path: Path
) -> None:
    sender = client(by, hook, "hooks.example:443")
    refused = await sender.send(f"https://localhost:{hook.port}/hook", KEY, told())
    await sender.close()
    assert refused is Failure.NOT_ALLOWED
    stranger = Webhook(Webhooks((f"localhost:{hook.port}",), str(authority(tmp_path).ca)))
    refused = await stranger.send(f"https://localhost:{hook.port}/hook", KEY, told())
    await stranger.close()
    assert refused is Failure.TLS
    assert hook.came == []


def test_a_secret_is_a_file_of_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("whsec_" + base64.b64encode(KEY).decode() + "\n")
    path.chmod(0o644)
    with pytest.raises(WrongUseError, match="others may read it"):
        secret_in(path)
    path.chmod(0o600)
    assert secret_in(path) == KEY
    path.write_text("geheim")
    with pytest.raises(WrongUseError, match="no secret such as whsec_"):
        secret_in(path)


def post(by: Authority, server: Mailed) -> Post:
    return Post(
        Mail("localhost", "Sightline <sightline@here.example>", server.port, ca_file=str(by.ca))
    )


async def test_mail_to_who_has_no_key(by: Authority, server: Mailed) -> None:
    one = told()
    for _ in range(2):
        assert await post(by, server).send(Mailbox("csirt@cz.example"), [one]) is None
    (to, mail, safe), (_, again, _) = server.came
    assert (to, safe) == (["csirt@cz.example"], True)
    assert mail["Subject"] == f"[TLP:AMBER] Sightline: campaign {one.body.thread}"  # type: ignore[union-attr]
    assert mail["Message-ID"] == again["Message-ID"]
    text = mail.get_body(("plain",))
    assert text is not None
    assert "218[.]237[.]65[.]47" in text.get_content()
    assert "218.237.65.47" not in text.get_content()
    (attached,) = mail.iter_attachments()
    assert letters.decode(attached.get_content()) == one


async def test_mail_to_who_has_a_key_is_read_with_it_only(by: Authority, server: Mailed) -> None:
    key = pysequoia.Cert.generate("CZ CSIRT <csirt@cz.example>")
    one = told("RED")
    assert await post(by, server).send(Mailbox("csirt@cz.example", key), [one]) is None
    ((_, mail, _),) = server.came
    assert mail.get_content_type() == "multipart/encrypted"
    assert mail.get_param("protocol") == "application/pgp-encrypted"
    version, body = mail.iter_parts()
    assert version.get_content_type() == "application/pgp-encrypted"
    assert "218" not in mail.as_string()
    (attached,) = opened(body.get_payload(decode=True), key).iter_attachments()
    assert letters.decode(attached.get_content()) == one


@pytest.mark.parametrize("tlp", ["RED", "AMBER+STRICT"])
async def test_what_is_strict_does_not_travel_in_clear(
    by: Authority, server: Mailed, tlp: str
) -> None:
    assert await post(by, server).send(Mailbox("csirt@cz.example"), [told(tlp), told()]) is None
    ((_, mail, _),) = server.came
    assert mail["Subject"].startswith(f"[TLP:{tlp}] ")
    assert "218" not in mail.get_content()
    assert "there is a message for you" in mail.get_content().lower()


def test_a_key_that_cannot_be_used_is_not_done_without(tmp_path: Path) -> None:
    key = pysequoia.Cert.generate("CZ CSIRT <csirt@cz.example>")
    path = tmp_path / "key.asc"
    path.write_text(str(key))
    assert mailbox("a@b.example", "", None) == Mailbox("a@b.example")
    good = mailbox("a@b.example", key.fingerprint.upper(), path)
    assert good.cert is not None
    assert not good.unusable
    for wanted, where in (
        ("AB" * 20, path),
        (key.fingerprint, tmp_path / "none"),
        ("AB" * 20, None),
    ):
        assert mailbox("a@b.example", wanted, where) == Mailbox("a@b.example", unusable=True)


async def test_nothing_goes_where_it_was_to_be_encrypted(by: Authority, server: Mailed) -> None:
    unusable = Mailbox("csirt@cz.example", unusable=True)
    assert await post(by, server).send(unusable, [told("CLEAR")]) is Failure.NOT_ALLOWED
    assert server.came == []


async def test_what_a_mail_server_answers(by: Authority, server: Mailed, tmp_path: Path) -> None:
    box = Mailbox("csirt@cz.example")
    server.refuse = ["550 nobody", "451 later"]
    assert await post(by, server).send(box, [told()]) is Failure.REFUSED
    assert await post(by, server).send(box, [told()]) is Failure.BUSY
    stranger = Post(
        Mail("localhost", "s@here.example", server.port, ca_file=str(authority(tmp_path).ca))
    )
    assert await stranger.send(box, [told()]) is Failure.TLS
    server.offers_tls = False
    assert await post(by, server).send(box, [told()]) is Failure.TLS
    assert server.came == []


async def test_several_letters_make_one_mail(by: Authority, server: Mailed) -> None:
    some = [told(revision=n) for n in (1, 2, 3)]
    assert await post(by, server).send(Mailbox("soc@here.example"), some) is None
    ((_, mail, _),) = server.came
    assert mail["Subject"].endswith(" and 2 more")
    assert [letters.decode(each.get_content()) for each in mail.iter_attachments()] == some


async def test_syslog_by_tls(by: Authority, tmp_path: Path) -> None:
    with syslog_tls(by) as (port, came):
        collector = Collector(Syslog("localhost", port, "tls", str(by.ca)))
        one = told()
        assert await collector.send(one) is None
        assert await collector.send(told(revision=2)) is None
        until(lambda: len(came) == 2, "both came")
        await collector.close()
        stranger = Collector(Syslog("localhost", port, "tls", str(authority(tmp_path).ca)))
        assert await stranger.send(one) is Failure.TLS
    line = came[0].decode()
    assert line.startswith("<132>1 2023-11-14T22:13:20.000Z ")
    assert f'[sightline@32473 id="{one.id}" about="' in line
    assert 'indicators="ip:218.237.65.47"]' in line
    assert await collector.send(one) is Failure.UNREACHABLE


async def test_syslog_by_udp() -> None:
    with syslog_udp() as (port, came):
        assert await Collector(Syslog("127.0.0.1", port, "udp")).send(told()) is None
        until(lambda: came, "it came")
    assert came[0].startswith(b"<132>1 ")


def test_nothing_that_others_wrote_ends_a_line_of_syslog_or_its_data() -> None:
    from pipeline.share.letter import Asked
    from pipeline.share.syslog_line import line

    nasty = 'a"] \\ \n<1>1 forged ✓'
    made = line(letter("x", 0, Asked("r", "t", "", nasty, "GREEN")), "host\n name", "1").decode()
    assert "\n" not in made
    assert 'text="a\\"\\] \\\\  <1>1 forged ✓"]' in made
    assert msgspec.json.decode(letters.encode(letter("x", 0, Asked("r", "t", "", nasty, "GREEN"))))
