"""What a user of the dashboard is shown who does not see everything, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from starlette.testclient import TestClient

from pipeline.registry import Registry, read_registry
from pipeline.share.addressee import Addressee, addressee
from pipeline.share.alliance import Alliance, Extender, Member, Policy
from pipeline.share.directory import Csirt
from pipeline.share.directory import Role as Duty
from pipeline.share.terms import Conditions, Grant, Terms
from pipeline.share.tlp import Tlp
from pipeline.shell.serve import people
from pipeline.shell.serve.app import application
from pipeline.shell.serve.part import Part, View, folder_of, parts
from pipeline.shell.serve.people import Person, Role, Users, hashed, read_users, user_table
from pipeline.shell.serve.rows import Record
from pipeline.shell.serve.site import Site
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import Hub
from pipeline.shell.settings import Settings, WrongUseError
from tests.property.test_release import COUNTRIES, State, conditions, made, seen_by
from tests.unit import told
from tests.unit.making import HOUR

REGISTRY = "".join(
    f"""
[[organisation]]
id = "{country.lower()}-nren"
country = "{country}"
name = "Network of {country}"
sector = "research"
[[organisation.sensor]]
id = "{country.lower()}-1"
"""
    for country in COUNTRIES
)
SK = Member("SK", "sk-nren")
V4 = Alliance(
    "v4", 1, 0, (Member("CZ"), SK), (Extender("x", "k"),), Policy(after=HOUR), name="The four"
)
CERT = Csirt("sk-cert", "Slovak CSIRT", "SK", Duty.NATIONAL)
AS = ("sk-nren", "SK", "sk-cert", "alliance:v4", "community", "public")
NOW = 200 * HOUR
WAYS = ((0, 0), (1, 0), (2, 3), (3, 1), (1, 2), (0, 3))
"""What those saw who hide it, as `seen_by` numbers it."""
HIDDEN = State(Tlp.RED, frozenset())
PASSWORD = "a long password"


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    """One analyst for each that one can see as, called so, and one of the house."""
    path = tmp_path_factory.mktemp("people") / "users.toml"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people, "_N", 2)  # none of these tests is about passwords
        names = [(sees.replace(":", "-"), sees) for sees in AS]
        path.write_text(
            "".join(
                user_table(name, Role.ANALYST, hashed(PASSWORD), "", sees) for name, sees in names
            )
            + user_table("house", Role.ANALYST, hashed(PASSWORD), "")
        )
    return read_users(path, path.with_name("key"))


@pytest.fixture(scope="module")
def registry() -> Registry:
    found, problems = read_registry(REGISTRY, "sensors.toml")
    assert found is not None, problems
    return found


def means(sees: str, registry: Registry) -> Addressee:
    found = addressee(sees, registry, [CERT], {"v4": V4})
    assert not isinstance(found, str), found
    return found


class Desk:
    """The dashboard with one part, as the topics fill it."""

    def __init__(self, client: TestClient, store: Store, part: Part, site: Site) -> None:
        self.client, self.store, self.part, self.site = client, store, part, site
        self._revision = -1

    def tell(self, *of: Record, now: int = NOW) -> None:
        self.store.apply(of, {})
        for row in self.store.changes("campaigns", self._revision):
            self._revision = row.revision
            self.part.hear(row)
        self.part.view.hub.changed(self.part.look(now))

    def get(self, name: str, path: str, status: int = 200) -> bytes:
        answer = self.client.get(path, auth=(name.replace(":", "-"), PASSWORD))
        assert answer.status_code == status, (path, answer.text)
        content: bytes = answer.content
        return content

    def everything(self, name: str) -> bytes:
        """All that a page of theirs could ask for."""
        ids = [row["id"] for row in msgspec.json.decode(self.get(name, "/api/campaigns"))["rows"]]
        paths = [
            *("/", "/api/site", "/api/campaigns/facets", "/api/alerts/facets", "/api/alerts"),
            *("/api/campaigns?order=newest&limit=1", "/api/campaigns?order=surprise"),
            *("/api/campaigns?q=203.0.113.1", "/api/campaigns?q=cz.example"),
            *("/api/campaigns?organisation=cz-nren", "/api/campaigns?country=CZ", "/readyz"),
            *(f"/api/campaigns/{one}{more}" for one in ids for more in ("", "/evidence")),
        ]
        live = self.part.view.hub._encode("campaigns", 0).data
        found = [self.get(name, path) for path in paths if path != "/readyz"]
        return b"\n".join([*found, self.client.get("/readyz").content, live])


@contextmanager
def desk(
    at: Path, users: Users, registry: Registry, terms: Terms, sees: str, delay: int | None = None
) -> Iterator[Desk]:
    recipient, after = means(sees, registry)
    with closing(Store(at / "s.sqlite")) as store, closing(Store(at / "p.sqlite")) as shown:
        after = after if delay is None else delay
        part = Part(View(shown, Hub(shown)), terms, recipient, after)
        site = Site(store, Settings(), Hub(store), registry, users=users, parts={sees: part.view})
        app = application(store, site.settings, site=site)
        client = TestClient(app, "http://localhost", follow_redirects=False)
        yield Desk(client, store, part, site)


def rows_of(variants: tuple[int, ...]) -> list[Record]:
    seen = [one for c, v in zip(COUNTRIES, variants, strict=True) for one in seen_by(c, v)]
    return [told.record(made(seen, sum(variants) % 4), NOW)]


@pytest.mark.parametrize("sees", AS)
def test_what_one_may_not_see_changes_no_byte_of_the_dashboard(
    tmp_path: Path, users: Users, registry: Registry, sees: str
) -> None:
    """Two countries hide what they saw, in every way that it can be different; the third shows it."""
    for shown in (Tlp.CLEAR, None):
        states = [HIDDEN] * 3
        open_to = frozenset(["public", "community", "SK", "sk-nren", "sk-cert", "alliance:v4"])
        nth = 0 if sees == "sk-nren" else 1  # its own, and those of a member
        if shown is not None:
            states[nth] = State(shown, open_to)
        terms = Terms(dict(map(conditions, COUNTRIES, states)))
        got: set[bytes] = set()
        # What sk-nren saw itself is shown to it.
        hiding = [n for n in range(3) if n != nth and not (sees == "sk-nren" and n == 1)]
        for number, hidden in enumerate(WAYS):
            variants = [0, 0, 0]
            for n, variant in zip(hiding, hidden, strict=False):
                variants[n] = variant
            folder = tmp_path / f"{shown}-{number}"
            folder.mkdir()
            with desk(folder, users, registry, terms, sees, delay=0) as here:
                here.site.freshness.behind = 0
                here.tell(*rows_of(tuple(variants)))
                if number % 2:  # more of what is hidden, later, and alerts and labels of all
                    here.site.freshness.behind = 17
                    variants[hiding[0]] = (variants[hiding[0]] + 1) % 4
                    id_ = rows_of(tuple(variants))[0].key
                    assert id_ is not None
                    here.tell(
                        *rows_of(tuple(variants)), told.record(told.alert("a1")),
                        told.record(told.label(id_.decode())),
                        told.record(told.label("a1")),
                        now=NOW + 7,
                    )  # fmt: skip
                got.add(here.everything(sees))
        assert len(got) == 1
        (one,) = got
        assert (b"203.0.113.5" in one) == (shown is not None or sees == "sk-nren")
        assert (b"cz-nren" in one) == (shown is not None and nth == 0)


OPEN = Terms(
    {
        f"{country.lower()}-nren": Conditions(
            Tlp.GREEN, None, (Grant("alliance:v4"), Grant("community")), country=country
        )
        for country in COUNTRIES
    }
)


def ids(answer: bytes) -> list[str]:
    return [row["id"] for row in msgspec.json.decode(answer)["rows"]]


def test_who_is_shown_a_part_labels_nothing_and_meets_no_alert(
    tmp_path: Path, users: Users, registry: Registry
) -> None:
    with desk(tmp_path, users, registry, OPEN, "community") as here:
        here.tell(told.record(told.alert("a1"), NOW), *rows_of((0, 0, 0)))
        assert ids(here.get("house", "/api/alerts")) == ["a1"]
        assert ids(here.get("community", "/api/alerts")) == []
        here.get("community", "/api/alerts/a1", 404)
        (theirs,) = ids(here.get("community", "/api/campaigns"))
        assert ids(here.get("house", "/api/campaigns")) == ["id-0"] != [theirs]
        here.get("community", "/api/campaigns/id-0", 404)
        here.get("community", "/api/campaigns/id-0/evidence", 404)
        here.get("house", f"/api/campaigns/{theirs}", 404)
        site = msgspec.json.decode(here.get("community", "/api/site"))
        assert (site["may_label"], site["kinds"]) == (False, ["campaigns"])
        said = {"id": theirs, "verdict": "benign"}
        answer = here.client.post("/api/labels", json=said, auth=("community", PASSWORD))
        assert answer.status_code == 403


def test_as_whom_nothing_is_made_is_shown_nothing(
    tmp_path: Path, users: Users, registry: Registry
) -> None:
    with desk(tmp_path, users, registry, OPEN, "public") as here:
        here.tell(*rows_of((0, 0, 0)))
        for path in ("/api/site", "/api/campaigns", "/api/alerts/facets", "/api/campaigns/id-0"):
            here.get("SK", path, 403)
        here.get("SK", "/events?of=campaigns&after=0", 403)


def test_an_alliance_is_shown_it_after_its_delay(
    tmp_path: Path, users: Users, registry: Registry
) -> None:
    to_it = (Grant("alliance:v4"),)
    given = {
        name: msgspec.structs.replace(one, releasable_to=to_it)
        for name, one in OPEN.conditions.items()
    }
    with desk(tmp_path, users, registry, Terms(given), "alliance:v4") as here:
        here.tell(*rows_of((0, 0, 0)), now=NOW + HOUR - 1)
        assert ids(here.get("alliance:v4", "/api/campaigns")) == []
        here.tell(now=NOW + HOUR)
        (one,) = ids(here.get("alliance:v4", "/api/campaigns"))
        shown = msgspec.json.decode(here.get("alliance:v4", f"/api/campaigns/{one}"))
        assert shown["body"]["organisations"] == ["cz-nren", "sk-nren"]


def test_what_does_not_stand_any_more_is_shown_no_longer(
    tmp_path: Path, users: Users, registry: Registry
) -> None:
    with desk(tmp_path, users, registry, OPEN, "community") as here:
        (record,) = rows_of((0, 0, 0))
        here.tell(record)
        assert len(ids(here.get("community", "/api/campaigns"))) == 1
        here.tell(Record("campaigns", record.key, None, NOW + 1))
        assert ids(here.get("community", "/api/campaigns")) == []
        here.tell(record)
        # The topics are others than the store was made from.
        here.store.forget()
        here.part.begin()
        here.tell(now=NOW + 2)
        assert here.store.emptied == 1
        assert ids(here.get("community", "/api/campaigns")) == []


def test_no_credential_is_shown_in_clear(tmp_path: Path, users: Users, registry: Registry) -> None:
    with desk(tmp_path, users, registry, OPEN, "community") as here:
        one = told.campaign("c1", (("credential", "root:hunter2"),), ("CZ", "AT"), first=NOW)
        here.tell(told.record(one, NOW))
        assert b"hunter2" in here.get("house", "/api/campaigns/c1")
        assert b"hunter2" not in here.everything("community")
        assert b"sha256:" in here.everything("community")


def test_its_files_are_its_owners_and_go_with_it(tmp_path: Path, registry: Registry) -> None:
    of = str(tmp_path / "s.sqlite")
    folder_of(of).mkdir()
    (folder_of(of) / "left by a crash").write_bytes(b"x")
    with parts(of, registry, "", [("SK", means("SK", registry).recipient, 0)]) as made_:
        assert set(made_.views) == {"SK"}
        assert folder_of(of).stat().st_mode & 0o777 == 0o700
        (file,) = folder_of(of).glob("*.sqlite")
        assert file.stat().st_mode & 0o777 == 0o600
    assert not folder_of(of).exists()


@pytest.mark.parametrize(
    ("role", "organisation", "sees", "shown"),
    [
        (Role.READER, "", "", "*"),
        (Role.ANALYST, "cz-nren", "", "cz-nren"),
        (Role.ANALYST, "cz-nren", "*", "*"),
        (Role.READER, "", "CZ", "CZ"),
        (Role.PARTNER, "", "", "public"),
    ],
)
def test_as_whom_somebody_sees(
    tmp_path: Path, role: Role, organisation: str, sees: str, shown: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(people, "_N", 2)
    path = tmp_path / "users.toml"
    path.write_text(user_table("ann", role, hashed(PASSWORD), organisation, sees))
    found = read_users(path, tmp_path / "key")
    ann = found.by_password("ann", PASSWORD)
    assert ann == Person("ann", role, shown)
    assert found.shown_a_part == ([shown] if role is not Role.PARTNER and shown != "*" else [])
    # Who sees as somebody else logs in anew.
    assert ann is not None
    session = found.session(ann)
    other = tmp_path / "other.toml"
    password = next(iter(found._users.values())).password
    other.write_text(user_table("ann", role, password, "at-nren", "at-nren"))
    assert read_users(other, tmp_path / "key").by_session(session) is None


def test_a_partner_never_sees_everything_and_nobody_as_nobody(tmp_path: Path) -> None:
    for role, sees in ((Role.PARTNER, "*"), (Role.READER, "Slovakia"), (Role.READER, "alliance:")):
        with pytest.raises(WrongUseError, match=r"sees|never"):
            user_table("ann", role, "scrypt:x", "", sees)


def test_whom_names_mean(registry: Registry) -> None:
    for name in ("nobody", "XX", "alliance:v5", "", "Public"):
        assert isinstance(addressee(name, registry, [CERT], {"v4": V4}), str)
    both = addressee("sk-nren", registry, [msgspec.structs.replace(CERT, id="sk-nren")])
    assert isinstance(both, str)
    assert "rename" in both
