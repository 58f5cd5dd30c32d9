"""TAXII in `sightline serve`: whose collections there are, what is in each, and who is let in."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stix2
from starlette.testclient import TestClient

from pipeline.campaign.campaign import Campaign, Status
from pipeline.registry import read_registry
from pipeline.share.alliance import Alliance, Extender, Member
from pipeline.share.tlp import Tlp
from pipeline.shell.alliances import folder
from pipeline.shell.serve.app import application
from pipeline.shell.serve.people import Role, Users, hashed, read_users, user_table
from pipeline.shell.serve.site import Site
from pipeline.shell.serve.store import Store
from pipeline.shell.serve.stream import Hub
from pipeline.shell.settings import Settings
from pipeline.shell.taxii.service import Service, root_of
from tests.unit import told
from tests.unit.making import HOUR

REGISTRY = """
[[organisation]]
id = "cz-nren"
country = "CZ"
name = "Czech research network"
tlp = "GREEN"
releasable_to = ["KE", { to = "community", as = "country" }]
[[organisation.sensor]]
id = "cz-1"
[[organisation]]
id = "ke-nren"
country = "KE"
name = "Kenyan research network"
[[organisation.sensor]]
id = "ke-1"
[[organisation]]
id = "br-nren"
country = "BR"
name = "Brazilian research network"
tlp = "CLEAR"
releasable_to = ["public", "alliance:v2"]
[[organisation.sensor]]
id = "br-1"
"""
V2 = Alliance(
    "v2", 1, 0, (Member("BR", "br-nren"), Member("KE")), (Extender("x", "k"),), name="The two"
)
USERS = {  # each one's password is "password of" and the name
    "ann": (Role.ANALYST, ""),
    "cz": (Role.PARTNER, "cz-nren"),
    "ke": (Role.PARTNER, "ke-nren"),
    "br": (Role.PARTNER, "br-nren"),
    "gone": (Role.PARTNER, "at-nren"),
    "nobody": (Role.PARTNER, ""),
}
NOW = told.NOON + 10 * HOUR


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Users:
    path = tmp_path_factory.mktemp("people") / "users.toml"
    path.write_text(
        "".join(
            user_table(name, role, hashed(f"password of {name}"), organisation)
            for name, (role, organisation) in USERS.items()
        )
    )
    return read_users(path, path.with_name("key"))


class Served:
    """A server on a read store, and what its readers get."""

    def __init__(self, store: Store, service: Service, client: TestClient) -> None:
        self.store, self.service, self.client = store, service, client
        self._revision = -1

    def tell(self, *campaigns: Campaign, now: int = NOW) -> int:
        """As the topics would, and the feed reads on."""
        self.store.apply([told.record(one) for one in campaigns], {})
        for row in self.store.changes("campaigns", self._revision):
            assert row.body is not None
            self._revision = row.revision
            one = msgspec.json.decode(row.body, type=Campaign)
            self.service.feed.hear(one, row.revision // 1000, row.revision)
        return self.service.feed.look(now)

    def get(self, name: str, path: str, status: int = 200) -> Any:
        auth = (name, f"password of {name}")
        answer = self.client.get(f"/taxii2/{path}", auth=auth)
        assert answer.status_code == status, answer.text
        return answer.json() if status == 200 else None

    def titles(self, name: str) -> list[str]:
        found = self.get(name, "sightline/collections/")
        return [one["title"] for one in found.get("collections", ())]

    def objects(self, name: str, title: str, **parameters: str) -> list[dict[str, Any]]:
        (found,) = (
            one
            for one in self.get(name, "sightline/collections/")["collections"]
            if one["title"] == title
        )
        query = "&".join(f"{key}={value}" for key, value in parameters.items())
        at = f"sightline/collections/{found['id']}/objects/?{query}"
        return list(self.get(name, at).get("objects", ()))


@contextmanager
def served(at: Path, users: Users | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    registry, problems = read_registry(REGISTRY, "sensors.toml")
    assert registry is not None, problems
    monkeypatch.setattr(folder, "read", lambda _: folder.Read({"v2": [V2]}, {}))
    settings = Settings(serve_store=str(at / "s.sqlite"))
    with closing(Store(at / "s.sqlite")) as store:
        service = Service(settings, registry, store)
        site = Site(store, settings, Hub(store), registry, users=users)
        app = application(store, settings, service.routes, site)
        yield Served(store, service, TestClient(app, "http://localhost", follow_redirects=False))


def names(objects: list[dict[str, Any]]) -> set[str]:
    return {one["name"] for one in objects if one["type"] == "identity"} - {"Sightline"}


def test_each_reads_what_is_released_to_it(
    tmp_path: Path, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path, users, monkeypatch) as here:
        here.tell(told.campaign("c1", countries=("CZ", "KE", "BR")))
        community = ["Public", "Community"]
        assert here.titles("cz") == [*community, "For Czech research network"]
        assert here.titles("ke") == [*community, "For Kenyan research network", "The two"]
        assert here.titles("br") == [*community, "For Brazilian research network", "The two"]
        assert here.titles("gone") == here.titles("nobody") == ["Public"]
        assert len(here.titles("ann")) == 6

        assert names(here.objects("nobody", "Public")) == {"br-nren"}
        assert names(here.objects("cz", "Community")) == {"br-nren"}
        countries = {
            one["country"] for one in here.objects("cz", "Community") if one["type"] == "location"
        }
        assert countries == {"CZ", "BR"}
        assert names(here.objects("ke", "For Kenyan research network")) == {
            "cz-nren", "ke-nren", "br-nren",
        }  # fmt: skip
        assert names(here.objects("cz", "For Czech research network")) == {"cz-nren", "br-nren"}
        assert names(here.objects("br", "The two")) == {"br-nren"}
        for one in here.objects("ke", "For Kenyan research network"):
            stix2.parse(one, version="2.1")


def test_who_may_read_one_collection_finds_no_other(
    tmp_path: Path, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path, users, monkeypatch) as here:
        here.tell(told.campaign("c1", countries=("CZ", "KE", "BR")))
        ids = {
            one["title"]: one["id"]
            for one in here.get("ann", "sightline/collections/")["collections"]
        }
        for name in ("cz", "ke", "br", "gone", "nobody"):
            mine = here.titles(name)
            for title, identity in ids.items():
                wanted = 200 if title in mine else 404
                here.get(name, f"sightline/collections/{identity}/objects/", wanted)
                here.get(name, f"sightline/collections/{identity}/manifest/", wanted)
        assert here.client.get("/taxii2/").status_code == 401
        assert here.client.get("/taxii2/", auth=("cz", "guessed")).status_code == 401
        token = base64.b64encode(b"cz:password of cz").decode()
        bearer = {"Authorization": f"Bearer {token}"}
        assert here.client.get("/taxii2/", headers=bearer).status_code == 200


def test_a_partner_sees_nothing_else_of_the_server(
    tmp_path: Path, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path, users, monkeypatch) as here:
        here.tell(told.campaign("c1"))
        paths = ("/", "/api/campaigns", "/api/campaigns/c1", "/taxii2/../api/campaigns", "/taxii2x")
        for path in paths:
            answer = here.client.get(path, auth=("cz", "password of cz"))
            assert answer.status_code in {403, 404}, path
            assert "218.237.65.47" not in answer.text
        answer = here.client.get("/api/campaigns/c1", auth=("ann", "password of ann"))
        assert "218.237.65.47" in answer.text


def test_what_changes_gets_a_version_and_what_is_withdrawn_is_revoked(
    tmp_path: Path, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path, users, monkeypatch) as here:
        assert here.tell(told.campaign("c1", countries=("CZ", "BR"))) > 0
        assert here.tell() == 0
        title = "For Czech research network"
        (before,) = here.objects("cz", title, **{"match[type]": "campaign"})
        grown = told.campaign("c1", countries=("CZ", "BR"), members=(("ip", "218.237.65.47"), ("url", "http://a.example/")))  # fmt: skip
        assert here.tell(grown) > 0
        (after,) = here.objects("cz", title, **{"match[type]": "campaign"})
        assert after["id"] == before["id"]
        assert after["modified"] > before["modified"]
        both = here.objects("cz", title, **{"match[type]": "campaign", "match[version]": "all"})
        assert both == [before, after]
        assert here.tell(msgspec.structs.replace(grown, status=Status.CLOSED, withdrawn=True)) > 0
        (gone,) = here.objects("cz", title, **{"match[type]": "campaign"})
        assert gone["revoked"] is True

        # Another process, on what was given out: it has nothing to say that was not said.
        service = Service(
            Settings(serve_store=str(tmp_path / "s.sqlite")), *_registry_and(here.store)
        )
        for row in here.store.changes("campaigns", -1):
            assert row.body is not None
            service.feed.hear(msgspec.json.decode(row.body, type=Campaign), row.revision // 1000)
        assert service.feed.look(NOW) == 0


def _registry_and(store: Store) -> tuple[Any, Store]:
    return read_registry(REGISTRY, "sensors.toml")[0], store


def test_what_is_hidden_changes_no_byte_and_red_is_in_no_collection(
    tmp_path: Path, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = told.campaign("c1", countries=("CZ", "KE", "BR"))
    kenyan = [one for one in whole.sightings if one.organisation == "ke-nren"]
    rest = tuple(one for one in whole.sightings if one not in kenyan)
    replace = msgspec.structs.replace
    red = tuple(replace(one, tlp=Tlp.RED) for one in kenyan)
    found = []
    for number, sightings in enumerate((whole.sightings, rest, rest + red)):
        at = tmp_path / str(number)
        at.mkdir()
        with served(at, users, monkeypatch) as here:
            here.tell(replace(whole, sightings=sightings))
            kenyas = here.objects("ke", "For Kenyan research network")
            assert ("ke-nren" in names(kenyas)) == (number == 0)
            found.append(
                [
                    here.objects(name, title)
                    for name in ("cz", "br", "nobody")
                    for title in here.titles(name)
                    if title != "The two"
                ]
            )
    assert found[0] == found[1] == found[2]


def test_an_exercise_has_a_root_of_its_own_that_says_so() -> None:
    root = root_of("spring")
    assert root.name == "exercise-spring"
    assert root.title == "EXERCISE EXERCISE EXERCISE: Sightline"
    assert root_of("").name == "sightline"
