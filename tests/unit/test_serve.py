"""What the dashboard's server answers, to whom, and what it refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from pipeline.benign import Benign
from pipeline.campaign.label import Label
from pipeline.geo import Geo
from pipeline.shell.serve.app import application
from pipeline.shell.serve.guard import HEADERS
from pipeline.shell.serve.people import Role, Users, hashed, read_users, user_table
from pipeline.shell.serve.rows import Record
from pipeline.shell.serve.run import run
from pipeline.shell.serve.site import Site
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import Hub
from pipeline.shell.settings import Settings, WrongUseError, load
from pipeline.warninglist import Warninglist
from tests.unit import told

ANN, RON = "a long password", "another password"
LISTED = Benign([Warninglist("scanners", "Scanners", 1, "networks", ("218.237.65.0/24",))])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Users:
    path = tmp_path_factory.mktemp("people") / "users.toml"
    path.write_text(
        user_table("ann", Role.ANALYST, hashed(ANN), "cz-nren", "*")
        + user_table("ron", Role.READER, hashed(RON), "")
    )
    return read_users(path, path.with_name("key"))


@contextmanager
def site(
    folder: Path, users: Users | None = None, settings: Settings | None = None
) -> Iterator[tuple[TestClient, Store, list[Label]]]:
    said: list[Label] = []

    async def say(label: Label) -> None:
        said.append(label)

    settings = settings or Settings()
    made = Store(folder / "s.sqlite", {"cz-nren": "research"}, exercise=settings.exercise)
    with closing(made) as store:
        of = Site(
            store, settings, Hub(store), geo=Geo(), geo_name="made up of 2025-03-01",
            benign=LISTED, users=users, say=say,
        )  # fmt: skip
        app = application(store, of.settings, site=of)
        yield TestClient(app, "http://localhost", follow_redirects=False), store, said


def both() -> list[Record]:
    return [
        told.record(told.alert("a1")),
        told.record(told.alert("a2", "evil.example", "domain", ("BR",), severity=5)),
        told.record(
            told.campaign("c1", (("ip", "218.237.65.47"), ("domain", "evil.example")), ("KE", "CZ"))
        ),
    ]


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["rows"]]


def test_rows_are_found_by_facets_and_by_what_somebody_pasted(tmp_path: Path) -> None:
    with site(tmp_path) as (client, store, _):
        store.apply(both(), {})
        assert ids(client.get("/api/alerts")) == ["a2", "a1"]
        assert ids(client.get("/api/alerts?country=CZ&country=BR&type=ip")) == ["a1"]
        assert ids(client.get("/api/campaigns?sector=research&status=growing")) == ["c1"]
        assert ids(client.get("/api/campaigns?sector=energy")) == []
        assert ids(client.get("/api/alerts?q=218[.]237[.]65[.]47")) == ["a1"]
        assert ids(client.get("/api/campaigns?q=evil.ex")) == ["c1"]
        first = client.get("/api/alerts?limit=1").json()
        assert ids(client.get(f"/api/alerts?limit=1&after={first['next']}")) == ["a1"]
        assert client.get("/api/alerts/facets").json()["country:CZ"] == 1


@pytest.mark.parametrize(
    "query", ["colour=red", "order=best", "limit=many", "after=yesterday", "after=1"]
)
def test_what_is_asked_wrongly_is_said(tmp_path: Path, query: str) -> None:
    with site(tmp_path) as (client, _, _):
        answer = client.get(f"/api/alerts?{query}")
        assert answer.status_code == 400
        assert answer.text


def test_the_evidence_says_how_it_spread_and_what_is_known(tmp_path: Path) -> None:
    with site(tmp_path) as (client, store, _):
        store.apply(both(), {})
        found = client.get("/api/campaigns/c1/evidence").json()
        dossier = found["dossier"]
        assert [(one["order"], one["country"]) for one in dossier["timeline"]] == [
            (1, "KE"),
            (2, "CZ"),
        ]
        # The alert said where the network is registered; the database here knows nothing.
        assert dossier["matrix"] == [
            {"origin": "KR", "country": "CZ", "sources": 1},
            {"origin": "KR", "country": "KE", "sources": 1},
        ]
        address, domain = dossier["members"]
        assert address["shown"] == "218[.]237[.]65[.]47"
        assert address["known_benign"] == ["Scanners"]
        assert domain["shown"] == "evil[.]example"
        assert "not where a person is" in dossier["honesty"]
        assert [one["id"] for one in found["alerts"]] == ["a1"]
        assert client.get("/api/site").json()["geoip"] == "made up of 2025-03-01"
        assert client.get("/api/campaigns/none/evidence").status_code == 404


def test_everything_has_the_same_strict_headers(tmp_path: Path, people: Users) -> None:
    with site(tmp_path, people) as (client, _, _):
        for path in ("/", "/login", "/static/main.js", "/api/alerts", "/nowhere", "/livez"):
            answer = client.get(path)
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, path
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy


def test_pages_hold_nothing_inline_and_nothing_from_outside() -> None:
    import re

    from pipeline.shell.serve.pages import STATIC

    for path in STATIC.glob("*.html"):
        text = path.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", text), path
    for path in STATIC.iterdir():
        outside = set(re.findall(r"https?://[\w.]+", path.read_text("utf-8")))
        assert outside <= {"http://www.w3.org"}, path  # the name of SVG, fetched by nobody


def test_on_loopback_another_name_is_not_answered(tmp_path: Path) -> None:
    """A page of a name that was made to lead here (DNS rebinding)."""
    with site(tmp_path) as (client, _, _):
        for name in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8420"):
            assert client.get("/api/alerts", headers={"Host": name}).status_code == 421
        for name in ("localhost:8420", "127.0.0.1:8420", "[::1]:8420"):
            assert client.get("/api/alerts", headers={"Host": name}).status_code == 200


LABEL = {"id": "c1", "verdict": "benign", "basis": "our own scan"}


def test_a_label_carries_the_name_of_who_is_logged_in(tmp_path: Path, people: Users) -> None:
    with site(tmp_path, people) as (client, store, said):
        store.apply(both(), {})
        entered = client.post(
            "/login", data={"name": "ann", "password": ANN}, headers={"Origin": "http://localhost"}
        )
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        answer = client.post("/api/labels", json=LABEL, headers={"Origin": "http://localhost"})
        assert answer.status_code == 202
        (label,) = said
        assert (label.id, label.by, label.verdict, label.basis) == (
            "c1",
            "ann",
            "benign",
            "our own scan",
        )
        assert [one.value for one in label.indicators] == ["218.237.65.47", "evil.example"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    ],
)
def test_no_other_page_can_label_log_in_or_log_out(
    tmp_path: Path, people: Users, headers: dict[str, str]
) -> None:
    with site(tmp_path, people) as (client, store, said):
        store.apply(both(), {})
        client.post("/login", data={"name": "ann", "password": ANN})
        assert client.get("/api/alerts").status_code == 200
        assert client.post("/api/labels", json=LABEL, headers=headers).status_code == 403
        assert client.post("/logout", headers=headers).status_code == 403
        form = {"name": "ron", "password": RON}
        assert client.post("/login", data=form, headers=headers).status_code == 403
        assert said == []


def test_a_form_of_another_page_is_no_label(tmp_path: Path) -> None:
    with site(tmp_path) as (client, store, said):
        store.apply(both(), {})
        answer = client.post(
            "/api/labels",
            content=msgspec.json.encode(LABEL),
            headers={"Content-Type": "text/plain"},
        )
        assert answer.status_code == 415
        assert said == []


def test_a_reader_sees_and_does_not_label(tmp_path: Path, people: Users) -> None:
    with site(tmp_path, people) as (client, store, said):
        store.apply(both(), {})
        auth = ("ron", RON)
        assert client.get("/api/alerts", auth=auth).status_code == 200
        assert client.get("/api/site", auth=auth).json()["may_label"] is False
        assert client.post("/api/labels", json=LABEL, auth=auth).status_code == 403
        assert said == []


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (LABEL | {"verdict": "fine"}, 400),
        (LABEL | {"id": "none"}, 404),
        (LABEL | {"by": "somebody else"}, 400),
        (LABEL | {"confidence": 101}, 400),
        (LABEL | {"basis": "x" * 9_000}, 413),
    ],
)
def test_a_label_that_cannot_be_is_refused(
    tmp_path: Path, wrong: dict[str, Any], status: int
) -> None:
    with site(tmp_path) as (client, store, said):
        store.apply(both(), {})
        assert client.post("/api/labels", json=wrong).status_code == status
        assert said == []


def test_nobody_is_let_in_without_a_password(tmp_path: Path, people: Users) -> None:
    with site(tmp_path, people) as (client, _, _):
        for path in ("/api/alerts", "/api/site", "/events?of=alerts&after=0", "/nowhere"):
            answer = client.get(path)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Basic")
        assert client.get("/api/alerts", auth=("ann", "guessed")).status_code == 401
        assert client.get("/api/alerts", auth=("nobody", ANN)).status_code == 401
        page = client.get("/", headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["location"]) == (303, "/login")
        assert client.get("/livez").status_code == 200


def test_a_session_ends_with_its_user_or_password(people: Users) -> None:
    ann = people.by_password("ann", ANN)
    assert ann is not None
    cookie = people.session(ann)
    assert people.by_session(cookie) == ann
    name, until, signature = cookie.split(".")
    for forged in ("", "..", f"{name}.{until}.", f"{name}.{int(until) + 1}.{signature}", "é.1.x"):
        assert people.by_session(forged) is None
    changed = tuple(
        msgspec.structs.replace(user, password=hashed("new password"))
        for user in people._users.values()
    )
    assert Users(changed, people._key).by_session(cookie) is None
    assert Users((), people._key).by_session(cookie) is None


def test_guessing_makes_everybody_wait(tmp_path: Path, people: Users) -> None:
    with site(tmp_path, people) as (client, _, _):
        form = {"name": "ann", "password": "guessed"}
        answers = [client.post("/login", data=form).status_code for _ in range(6)]
        assert answers == [401] * 5 + [429]


def test_beyond_loopback_nobody_is_let_in_without_users(tmp_path: Path) -> None:
    settings = load(
        environment={}, serve_host="0.0.0.0", serve_store=str(tmp_path / "s.sqlite"), serve_port=0
    )
    with pytest.raises(WrongUseError, match="serve_users"):
        run(settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no users"),
        ('[[user]]\nname = "ann"\nrole = "analyst"\npassword = "plain"\n', "is no hash"),
        ('[[user]]\nname = "ann"\nrole = "root"\npassword = "x"\n', "role"),
    ],
)
def test_a_file_of_users_that_is_wrong_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "users.toml"
    path.write_text(text)
    with pytest.raises(WrongUseError, match=said):
        read_users(path, tmp_path / "key")


def test_an_exercise_is_said_on_the_page_itself(tmp_path: Path) -> None:
    for lane, prefix in (("live", ""), ("exercise", "exercise.drill-1.")):
        settings = load(environment={}, lane=lane, topic_prefix=prefix)
        with site(tmp_path, settings=settings) as (client, store, _):
            alert, replace = told.alert("a1"), msgspec.structs.replace
            if prefix:
                alert = replace(alert, unmapped=replace(alert.unmapped, exercise="drill-1"))
            store.apply([told.record(alert)], {})
            assert ids(client.get("/api/alerts?exercise=yes")) == (["a1"] if prefix else [])
            assert f'data-lane="{lane}"' in client.get("/").text


def test_nobody_else_can_read_the_store(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "s.sqlite")) as store:
        store.apply(both(), {})
        found = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        assert found == dict.fromkeys(("s.sqlite", "s.sqlite-wal", "s.sqlite-shm"), 0o600)


@pytest.mark.parametrize("before", [b"", b"no database at all", b"SQLite format 3\0" + bytes(99)])
def test_a_file_that_is_no_store_is_made_anew(tmp_path: Path, before: bytes) -> None:
    (tmp_path / "s.sqlite").write_bytes(before)
    with closing(Store(tmp_path / "s.sqlite")) as store:
        store.apply(both(), {("alerts", 0): 7})
    with closing(Store(tmp_path / "s.sqlite")) as store:
        assert store.positions() == {("alerts", 0): 7}
    with closing(Store(tmp_path / "s.sqlite", {"cz-nren": "research"})) as store:
        assert store.positions() == {}, "other sectors: its facets would be wrong"


def test_every_query_of_the_store_uses_an_index(tmp_path: Path) -> None:
    """What makes any filter fast at a million rows; docs/decisions/0031 has the times."""
    asked: set[str] = set()
    with closing(Store(tmp_path / "s.sqlite")) as store:
        store._connection.set_trace_callback(asked.add)
        store.apply(both(), {("alerts", 0): 1})
        store.apply([*both(), told.record(told.label("a1"))], {})
        with store.reading() as reader:
            reader.set_trace_callback(asked.add)
        store.page("alerts", {"country": ("CZ", "KE"), "type": ("ip",)}, text="218.", limit=1)
        store.page("campaigns", {}, order="surprise", after="0.1")
        store.get("campaigns", "c1")
        store.holding("alerts", "ip", "218.237.65.47")
        store.changes("alerts", 0)
        store.labels_of("a1")
        store.counts("alerts")
        selects = {one for one in asked if one.startswith("SELECT")}
        assert len(selects) > 15
        with closing(sqlite3.connect(store.path)) as connection:
            for one in sorted(selects):
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {one}")]
                assert plan, one
                assert all(step.startswith("SEARCH") for step in plan), (one, plan)
