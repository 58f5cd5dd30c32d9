"""Letters over time: held back, ended, suppressed, asked about; who is asked what."""

from __future__ import annotations

import msgspec
import pytest

from pipeline.alert import Alert, alert
from pipeline.campaign.campaign import Campaign, Status
from pipeline.episode import Change, Episode
from pipeline.geo import Geo
from pipeline.share import letter as letters
from pipeline.share.account import account
from pipeline.share.asker import MOST_REQUESTS, REQUESTS_MS
from pipeline.share.correspondence import Correspondence
from pipeline.share.directory import OPERATOR, Constituency, Csirt, Directory, Role
from pipeline.share.ledger import (
    ALERT_KEPT_MS,
    KEPT_MS,
    LONGEST_PAUSE_MS,
    MOST_TRIES,
    Failure,
    Ledger,
    State,
    Way,
    pause_ms,
    tried,
)
from pipeline.share.letter import Answered, Asked, Raised, Told, text
from pipeline.share.reply import Answer, Reply, Request, Word, decode, encode, identity
from pipeline.share.route import Reason, Routes
from pipeline.share.ruling import Ruling
from pipeline.share.subscriber import Delivery, Mail, Subscriber
from pipeline.share.suppression import Suppression
from pipeline.share.terms import Conditions, Grant, Terms
from pipeline.share.tlp import Tlp
from tests.unit.making import HOUR, MINUTE, at, rule
from tests.unit.telling import campaign

NOW = at("18:00")
OPEN = Conditions(Tlp.GREEN, None, (Grant("CZ"), Grant("KE"), Grant("BR")))
TERMS = Terms({f"org-{land}": OPEN for land in ("cz", "ke", "br")})
DIRECTORY = Directory(
    tuple(
        Csirt(land.lower(), land, land, Role.NATIONAL, verified_at=NOW,
              constituency=Constituency(countries=(land,)))
        for land in ("CZ", "KE", "BR")
    )
)  # fmt: skip
SOC = Subscriber("soc", "*", ("campaigns", "alerts"), "severity >= medium", topic=True)


def writing(*subscribers: Subscriber, hold_ms: int = 10 * MINUTE) -> Correspondence:
    delivery = Delivery(subscribers=subscribers)
    return Correspondence(Routes(DIRECTORY), TERMS, delivery, hold_ms=hold_ms)


def to(one: Correspondence, of: Campaign, when: int = NOW) -> list[str]:
    one.campaign(of)
    return [entry.to for entry in one.due(of.id, when)]


def test_letters_are_held_apart_but_for_the_last() -> None:
    one = writing(hold_ms=10 * MINUTE)
    first = campaign("cz", "ke")
    assert to(one, first) == ["cz", "ke"]
    grown = campaign("cz", "ke", "br")
    assert to(one, grown, NOW + MINUTE) == ["br"], "who was not told before is told at once"
    assert one.held == {first.id}
    assert [entry.to for entry in one.due(first.id, NOW + 10 * MINUTE)] == ["cz", "ke"]
    assert one.held == set()
    ended = msgspec.structs.replace(grown, withdrawn=True)
    assert to(one, ended, NOW + 11 * MINUTE) == ["br", "cz", "ke"]
    entry = one.ledger.get(first.id, "cz")
    assert entry is not None
    assert (entry.revision, entry.ended) == (3, True)
    assert "withdrawn; what was told does not hold" in text(entry.letter)


def test_what_was_over_before_anybody_was_told_is_no_news() -> None:
    one = writing(SOC)
    assert to(one, campaign("cz", "ke", status=Status.MERGED)) == []
    assert one.standing == []


def test_a_view_that_is_renamed_says_what_it_was_called() -> None:
    one = writing(hold_ms=0)
    first = campaign("cz", "ke")
    to(one, first)
    (before,) = [entry for entry in one.ledger.about(first.id) if entry.to == "cz"]
    earlier = msgspec.structs.replace(
        first.sightings[1],
        value="203.0.114.9",
        first_seen=at("11:00"),
        organisation="org-br",
        country="BR",
    )
    to(one, msgspec.structs.replace(first, sightings=(earlier, *first.sightings)))
    after = one.ledger.get(first.id, "cz")
    assert after is not None
    assert isinstance(after.letter.body, Told)
    assert after.thread != before.thread
    assert after.letter.body.replaces == before.thread
    assert f"It was called {before.thread} before." in text(after.letter)


def test_a_person_is_asked_until_it_is_decided() -> None:
    one = writing()
    of = campaign("cz", "pt")
    one.campaign(of)
    assert [entry.to for entry in one.due(of.id, NOW)] == ["cz"]
    (asked,), gone = one.questions(of.id, NOW)
    assert (asked.question.reason, asked.question.victim.country, gone) == (
        Reason.NO_ROUTE,
        "PT",
        [],
    )
    assert one.questions(of.id, NOW) == ([], []), "asked once"
    one.rule(Ruling(of.id, "PT", "org-pt", "br", "ann", NOW))
    assert one.questions(of.id, NOW) == ([], [asked.key])
    assert [entry.to for entry in one.due(of.id, NOW)] == ["br"]


def raised(**changed: object) -> Alert:
    episode = Episode(
        id="a-1", rule=rule(), value="218.237.65.47", change=Change.OPENED, first_seen=at("12:00"),
        last_seen=at("12:05"), countries=("CZ", "KE"), organisations=("a", "b"),
    )  # fmt: skip
    return alert(msgspec.structs.replace(episode, **changed), Geo())


def test_a_subscriber_hears_of_alerts_until_they_are_closed() -> None:
    one = writing(SOC, hold_ms=0)
    for change, heard in (
        (raised(), 1), (raised(), 0), (raised(countries=("BR", "CZ", "KE")), 1),
        (raised(change=Change.CLOSED), 1), (raised(change=Change.CLOSED), 0),
    ):  # fmt: skip
        one.alert(change)
        assert len(one.due("a-1", NOW)) == heard
    entry = one.ledger.get("a-1", "soc")
    assert entry is not None
    assert isinstance(entry.letter.body, Raised)
    assert (entry.revision, entry.ended) == (3, True)
    one.ledger.written(entry)
    one.ledger.settle(entry.key, entry.letter.id, "topic", Way(State.DELIVERED))
    assert one.ledger.forget(NOW + ALERT_KEPT_MS) == []
    assert one.ledger.forget(NOW + ALERT_KEPT_MS + 1) == ["a-1/soc"]


def test_what_is_suppressed_reaches_csirts_alone_and_is_counted() -> None:
    one = writing(SOC)
    one.suppressions.put(Suppression("s", "country = KE", NOW, NOW + HOUR, "ann"))
    of = campaign("cz", "ke")
    assert to(one, of) == ["cz", "ke"]
    assert one.suppressed == 1
    assert [entry.to for entry in one.due(of.id, NOW + HOUR)] == ["soc"], "it has expired"


def test_a_subscriber_with_an_organisation_s_view_sees_no_more() -> None:
    one = writing(Subscriber("own", "org-xx", topic=True), Subscriber("all", "*", topic=True))
    assert to(one, campaign("cz", "ke")) == ["cz", "ke", "all"]


def test_filters_look_at_the_view() -> None:
    view = Subscriber("view", "org-cz", where="country = KE", topic=True)
    closed = Terms({"org-cz": OPEN, "org-ke": Conditions()})
    one = Correspondence(Routes(DIRECTORY), closed, Delivery(subscribers=(view,)), hold_ms=0)
    assert to(one, campaign("cz", "ke")) == ["cz"]


def test_a_request_goes_to_those_who_were_told_and_its_answer_back() -> None:
    one = writing()
    of = campaign("cz", "ke", "br")
    to(one, of)
    thread = one.ledger.about(of.id)[1].thread
    request = Request(thread, "*", "Which port?", NOW)
    asked = one.said("cz", request, NOW)
    assert [entry.to for entry in asked] == ["br", "ke"]
    body = asked[1].letter.body
    assert isinstance(body, Asked)
    assert (body.by, body.text) == ("", "Which port?")
    assert one.said("cz", request, NOW) == [], "once"
    name = identity("cz", request)
    (answer,) = one.said("ke", Answer(name, "22", NOW, named=True), NOW)
    assert (answer.to, answer.letter.body) == (
        "cz",
        Answered(name, thread, "ke", "22", "AMBER+STRICT"),
    )
    assert one.said("ke", Answer("another", "22", NOW), NOW) == []
    assert one.said("nobody", Request(thread, "*", "?", NOW), NOW) == []
    assert one.ignored == 2
    assert [entry.to for entry in one.said(OPERATOR, Request(of.id, "KE", "?", NOW), NOW)] == ["ke"]


def test_nobody_can_try_out_who_asked() -> None:
    """Who is asked knows the text, and may guess all else that a person chose."""
    one = writing()
    of = campaign("cz", "ke", "br")
    to(one, of)
    cz, ke = (one.ledger.get(of.id, name) for name in ("cz", "ke"))
    assert cz is not None
    assert ke is not None
    salt = "0123456789abcdef0123456789abcdef"
    asked = one.said("cz", Request(cz.thread, "ke", "Which port?", NOW, salt=salt), NOW)
    (letter,) = asked
    assert isinstance(letter.letter.body, Asked)
    shown = letters.encode(letter.letter).decode()
    guesses = {
        identity(by, Request(thread, who, "Which port?", NOW))
        for by in ("cz", "br", OPERATOR)
        for thread in (cz.thread, ke.thread, of.id)
        for who in ("ke", "KE", "*")
    }
    assert not [guess for guess in guesses if guess in shown]
    assert salt not in shown
    with pytest.raises(msgspec.ValidationError, match="salt"):
        decode(encode(Request(cz.thread, "ke", "Which port?", NOW)))
    assert decode(encode(Request(cz.thread, "ke", "Which port?", NOW, named=True)))


def test_requests_are_bounded() -> None:
    one = writing()
    of = campaign("cz", "ke")
    to(one, of)
    thread = one.ledger.about(of.id)[0].thread
    for number in range(MOST_REQUESTS + 5):
        one.said("cz", Request(thread, "ke", f"{number}?", NOW), NOW)
    assert one.ignored == 5
    assert one.said("cz", Request(thread, "ke", "later?", NOW), NOW + REQUESTS_MS)


def test_replies_show_on_the_campaign() -> None:
    one = writing()
    of = campaign("cz", "ke")
    to(one, of)
    thread = one.ledger.about(of.id)[0].thread
    replies = {
        "cz": [Reply(thread, Word.HANDLED, NOW + 1), Reply(thread, Word.RECEIVED, NOW, "thanks")],
        "ke": [Reply("another", Word.NOT_OURS, NOW)],
    }
    found = account(of.id, one.ledger.about(of.id), replies)
    assert [(each.id, each.said) for each in found.recipients] == [
        ("cz", Word.HANDLED),
        ("ke", None),
    ]
    assert [(line.word, line.text) for line in found.lines] == [
        (Word.RECEIVED, "thanks"), (Word.HANDLED, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [b"{}", b'{"kind":"reply","thread":"t","word":"maybe","at":1}', b'{"kind":"answer"}',
     b'{"kind":"reply","thread":"t","word":"handled","at":1,"by":"somebody else"}',
     b'{"kind":"reply","thread":"../t","word":"handled","at":1}',
     b'{"kind":"reply","thread":"t","word":"handled","at":1,"text":"\\u001b[2J"}',
     encode(Reply("t", Word.HANDLED, 1, "x" * 2001))],
)  # fmt: skip
def test_what_is_no_reply(raw: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(raw)


def test_a_newer_letter_takes_the_place_of_one_on_its_way() -> None:
    delivery = Delivery(mail=Mail("localhost", "s@here.example"))
    routes = Routes(
        Directory((msgspec.structs.replace(DIRECTORY.csirts[0], email="c@cz.example"),))
    )
    one = Correspondence(routes, TERMS, delivery, hold_ms=0)
    of = campaign("cz", "ke")
    to(one, of)
    (old,) = one.ledger.about(of.id)
    assert list(one.ledger.waiting()) == [], "not before it is written down"
    one.ledger.written(old)
    assert {name for _, name, _ in one.ledger.waiting()} == {"topic", "email"}
    to(one, campaign("cz", "ke", "br"))
    assert one.ledger.settle(old.key, old.letter.id, "email", Way(State.DELIVERED)) is None
    (new,) = one.ledger.about(of.id)
    assert new.ways == {"topic": Way(at=NOW), "email": Way(at=NOW)}


def test_tries_end() -> None:
    way, now = Way(), NOW
    for _ in range(MOST_TRIES - 1):
        way = tried(way, Failure.BUSY, now, 0.999)
        assert (way.state, way.why) == (State.WAITING, Failure.BUSY)
        assert 0 < way.next - now <= LONGEST_PAUSE_MS
        now = way.next
    assert tried(way, Failure.BUSY, now, 0.5).state is State.FAILED
    assert NOW + 2 * 24 * HOUR < now < NOW + 3 * 24 * HOUR
    assert tried(Way(), Failure.REFUSED, NOW, 0).state is State.FAILED
    assert tried(Way(), None, NOW, 0) == Way(State.DELIVERED, 1, NOW)


def test_those_that_fail_together_do_not_come_back_together() -> None:
    assert pause_ms(1, 0.0) == 2_500
    assert pause_ms(1, 0.999) == 4_997
    assert pause_ms(3, 0.0) == 10_000
    assert pause_ms(60, 0.0) == LONGEST_PAUSE_MS // 2


def test_a_ledger_forgets_what_has_been_over_for_long() -> None:
    one = writing()
    of = campaign("cz", "ke")
    to(one, of)
    assert one.ledger.forget(NOW + 2 * KEPT_MS) == [], "it is not over"
    to(one, msgspec.structs.replace(of, withdrawn=True), NOW + HOUR)
    for entry in one.ledger.about(of.id):
        one.ledger.written(entry)
        one.ledger.settle(entry.key, entry.letter.id, "topic", Way(State.FAILED))
    assert one.ledger.forget(NOW + HOUR + KEPT_MS + 1) == [f"{of.id}/cz", f"{of.id}/ke"]
    assert len(one.ledger) == 0
    assert len(Ledger()) == 0
