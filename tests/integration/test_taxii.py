"""TAXII 2.1 with clients that we did not write, and beside a server that we did not write."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
import medallion
import pytest
import requests
from medallion.backends.memory_backend import MemoryBackend
from stix2 import Filter, TAXIICollectionSource
from taxii2client.v21 import Collection, Server, as_pages
from werkzeug.serving import make_server

from pipeline.shell import files
from pipeline.shell.intel.watch_file import read_watches
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child
from pipeline.shell.taxii.audience import audiences
from pipeline.shell.taxii.query import timestamp
from pipeline.shell.taxii.store import TaxiiStore

ALPHA, BETA = (str(uuid5(NAMESPACE_URL, name)) for name in ("alpha", "beta"))
MANY = 12_001
NOW = 1_772_366_400_000_000  # µs: 2026-03-01T12:00:00Z
TAXII = "application/taxii+json;version=2.1"
OPENCTI = ("application/json, text/plain, */*", TAXII)
"""What its ingestion sends: axios' own, and since issue 4246 TAXII's."""


def indicator(number: int, modified: int = NOW) -> dict[str, Any]:
    value = f"{198 + number // 65536}.51.{number // 256 % 256}.{number % 256}"
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid5(NAMESPACE_URL, value)}",
        "created": timestamp(NOW),
        "modified": timestamp(modified),
        "pattern": f"[ipv4-addr:value = '{value}']",
        "pattern_type": "stix",
        "valid_from": timestamp(NOW),
    }


def address(number: int) -> dict[str, Any]:
    value = f"203.0.113.{number}"
    return {
        "type": "ipv4-addr",
        "spec_version": "2.1",
        "id": f"ipv4-addr--{uuid5(NAMESPACE_URL, value)}",
        "value": value,
    }


def serving(path: Path) -> Child:
    server = ("-m", "tests.integration.taxii_server")
    return Child(*server, str(path), f"alpha={ALPHA}", f"beta={BETA}")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two processes that serve one store: `alpha` of it has many objects, `beta` a few."""
    path = tmp_path_factory.mktemp("taxii") / "store.sqlite"
    store = TaxiiStore(path)
    assert store.put(ALPHA, map(indicator, range(MANY)), NOW) == MANY
    store.put(BETA, [*map(indicator, range(5)), *map(address, range(5))], NOW)
    store.put(BETA, [indicator(3, NOW + 1_000_000)], NOW + 2_000_000)
    with serving(path) as one, serving(path) as two:
        yield one.ready, two.ready


def collection(server: str, name: str) -> Collection:
    (found,) = Server(f"{server}/taxii2/", user=name, password=name[::-1]).api_roots[0].collections
    assert isinstance(found, Collection)
    return found


def pages(of: Collection, limit: int, **filters: object) -> list[dict[str, Any]]:
    return [
        one
        for page in as_pages(of.get_objects, per_request=limit, **filters)
        for one in page.get("objects", [])
    ]


def versions(objects: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["id"], one.get("modified", "")) for one in objects]


WANTED = [indicator(number) for number in range(MANY)]


@pytest.mark.parametrize("limit", [0])  # a server.s own
def test_twelve_thousand_that_share_a_timestamp_are_read_once_each(
    servers: tuple[str, str], limit: int
) -> None:
    assert pages(collection(servers[0], "alpha"), limit) == WANTED


def test_stix2_reads_the_same(servers: tuple[str, str]) -> None:
    source = TAXIICollectionSource(collection(servers[1], "alpha"))
    found = source.query([Filter("type", "=", "indicator")])
    assert sorted(one.id for one in found) == sorted(one["id"] for one in WANTED)
    assert source.get(WANTED[7]["id"]).pattern == WANTED[7]["pattern"]
    assert source.get(f"indicator--{ALPHA}") is None
    of_beta = TAXIICollectionSource(collection(servers[1], "beta"))
    assert len(of_beta.all_versions(WANTED[3]["id"])) == 2


def test_a_reader_goes_on_at_another_process(servers: tuple[str, str]) -> None:
    """Page by page, now here, now there; the first was broken off and is asked for again."""
    ours = [collection(server, "alpha") for server in servers]
    found: list[dict[str, Any]] = []
    following: dict[str, str] = {}
    for turn in range(MANY):
        page = ours[turn % 2].get_objects(limit=1_700, **following)
        if turn == 0:
            assert page == ours[1].get_objects(limit=1_700)
        found += page["objects"]
        if not page["more"]:
            break
        following = {"next": page["next"]}
    assert found == WANTED


def test_by_dates_alone_nothing_is_missed(servers: tuple[str, str]) -> None:
    """As clients do that know no `next`: from the header on, which is unlike any other."""
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    url = f"{servers[0]}/taxii2/sightline/collections/{ALPHA}/objects/"
    with httpx.Client(auth=("alpha", "ahpla"), headers={"Accept": TAXII}) as client:
        for _ in range(MANY):
            answer = client.get(url, params={"limit": "2500"} | after)
            found += answer.json().get("objects", [])
            if not answer.json()["more"]:
                break
            after = {"added_after": answer.headers["X-TAXII-Date-Added-Last"]}
        empty = client.get(url, params={"added_after": answer.headers["X-TAXII-Date-Added-Last"]})
    assert found == WANTED
    assert empty.json() == {"more": False}
    assert not [name for name in empty.headers if name.startswith("x-taxii")]


@pytest.mark.parametrize("accept", [*OPENCTI, "*/*", "application/taxii+json", None])
def test_opencti_and_others_are_answered(servers: tuple[str, str], accept: str | None) -> None:
    answer = requests.get(
        f"{servers[0]}/taxii2/sightline/collections/{BETA}/objects/",
        params={"added_after": "2020-01-01T00:00:00.000Z", "next": None, "limit": 3},
        headers={"Accept": accept},  # type: ignore[dict-item]
        auth=("beta", "ateb"),
        timeout=30,
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == TAXII
    assert answer.json()["objects"] == [indicator(n) for n in (0, 1, 2)]
    assert answer.headers["X-TAXII-Date-Added-First"] == "2026-03-01T12:00:00.000000Z"


def test_what_is_anothers_is_not_there(servers: tuple[str, str]) -> None:
    at = f"{servers[0]}/taxii2/sightline/collections/"

    def status(path: str, method: str = "GET", user: str = "beta", **more: Any) -> int:
        auth = (user, user[::-1]) if user else None
        return httpx.request(method, at + path, auth=auth, **more).status_code

    for rest in ("", "manifest/", "objects/", f"objects/{WANTED[0]['id']}/"):
        assert status(f"{ALPHA}/{rest}") == status(f"{MANY:032d}/{rest}") == 404
        assert status(f"{BETA}/{rest}") == 200
        assert status(f"{BETA}/{rest}", user="") == 401
        assert status(f"{BETA}/{rest}", user="nobody") == 401
        assert status(f"{BETA}/{rest}", headers={"Accept": "text/html"}) == 406
    assert status(f"{BETA}/objects/", headers={"Accept": f"{TAXII[:-3]}2.0"}) == 406
    assert status(f"{BETA}/objects/", "POST", json={"objects": []}) == 403
    assert status(f"{ALPHA}/objects/", "POST", json={"objects": []}) == 404
    assert status(f"../status/{BETA}/") == 404
    for wrong in ("limit=0", "limit=x", "next=x", "next=MS4y&next=MS4y", "added_after=yesterday"):
        assert status(f"{BETA}/objects/?{wrong}") == 400, wrong


@pytest.fixture(scope="module")
def medallions() -> Iterator[str]:
    """The memory backend of the OASIS' example server, with what `beta` has."""
    added = [*map(indicator, range(5)), *map(address, range(5))]
    records = [(one, NOW + n) for n, one in enumerate(added)]
    records.append((indicator(3, NOW + 1_000_000), NOW + 2_000_000))
    for one, at in records:
        if "modified" not in one:
            one["_date_added"] = timestamp(at)
    about = {"title": "Sightline", "description": "", "versions": [TAXII], "max_content_length": 9}
    app = medallion.application_instance
    app.users_backend = {"beta": "ateb"}
    app.taxii_config = {"max_page_size": 100}
    app.medallion_backend = MemoryBackend()
    app.medallion_backend.data = {
        "/discovery": {"title": "medallion", "api_roots": ["/sightline/"]},
        "sightline": {
            "information": about,
            "status": [],
            "collections": [
                {
                    "id": BETA,
                    "title": "For beta",
                    "description": "Campaigns",
                    "can_read": True,
                    "can_write": False,
                    "media_types": [],
                    "objects": [one for one, _ in records],
                    "manifest": [
                        {
                            "id": one["id"],
                            "date_added": timestamp(at),
                            "version": one.get("modified", timestamp(at)),
                            "media_type": "application/stix+json;version=2.1",
                        }
                        for one, at in records
                    ],
                }
            ],
        },
    }
    medallion.register_blueprints(app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def what_a_client_sees(server: str) -> dict[str, Any]:
    """All that there is to ask for, with taxii2-client."""
    of = collection(server, "beta")
    addresses, changed = [address(n)["id"] for n in range(5)], WANTED[3]["id"]
    manifest = [
        {name: one[name] for name in ("id", "version", "media_type")}
        for page in as_pages(of.get_manifest, per_request=4)
        for one in page["objects"]
        if one["id"] not in addresses
    ]
    return {
        "described": (of.id, of.title, of.description, of.can_read, of.can_write),
        "all": pages(of, 3),
        "by type": pages(of, 2, type="ipv4-addr"),
        "by types": pages(of, 4, type=["ipv4-addr", "indicator"]),
        "by id": pages(of, 4, id=[changed, addresses[0]]),
        "first": pages(of, 4, version="first"),
        "every version": pages(of, 4, version="all"),
        "one version": pages(of, 4, version=WANTED[3]["modified"]),
        "2.1": pages(of, 4, spec_version="2.1"),
        "2.0": pages(of, 4, spec_version="2.0"),
        "later": pages(of, 4, added_after=timestamp(NOW + 6)),
        "object": of.get_object(changed)["objects"],
        "its versions": sorted(of.object_versions(changed)["versions"]),
        "manifest": manifest,
    }


def test_another_server_shows_the_same(servers: tuple[str, str], medallions: str) -> None:
    ours, theirs = what_a_client_sees(servers[1]), what_a_client_sees(medallions)
    assert len(ours["every version"]) == 11
    assert ours["2.0"] == []
    for asked, answer in ours.items():
        assert json.dumps(answer, sort_keys=True) == json.dumps(theirs[asked], sort_keys=True), (
            asked
        )


def test_sightline_reads_a_partners_collection(servers: tuple[str, str], tmp_path: Path) -> None:
    password, out = tmp_path / "password", tmp_path / "watches.jsonl"
    password.write_text("ateb\n")
    url = f"{servers[0]}/taxii2/sightline/collections/{BETA}/"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pipeline", "intel", "import", "--source", "CERT-Z"),
            *("--taxii", url, "--user", "beta", "--password-file", str(password)),
            *("--out", str(out)),
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "5 watches\n", "")
    assert {one.reference for one in read_watches(out)} == {one["id"] for one in WANTED[:5]}


def test_sightline_serve_answers_taxii(tmp_path: Path) -> None:
    """The command itself, while its broker is away: what was given out is there."""
    sensors = tmp_path / "sensors.toml"
    sensors.write_text(
        '[[organisation]]\nid = "cz-nren"\ncountry = "CZ"\nname = "Czech research network"\n'
        '[[organisation.sensor]]\nid = "cz-1"\n'
    )
    registry = files.registry_of(sensors)
    public = audiences(registry, {})[0].collection
    TaxiiStore(tmp_path / "read.sqlite.taxii").put(public.id, map(indicator, range(3)), NOW)
    environment = {
        "SIGHTLINE_BROKER": f"127.0.0.1:{free_port()}",
        "SIGHTLINE_SENSORS": str(sensors),
        "SIGHTLINE_SERVE_STORE": str(tmp_path / "read.sqlite"),
    }
    with Child("-m", "pipeline", "serve", "--port", "0", environment=environment) as server:
        root = Server(f"{server.ready}taxii2/").api_roots[0]
        titles = [one.title for one in root.collections]
        assert titles == ["Public", "Community", "For Czech research network"]
        (found,) = (one for one in root.collections if one.id == public.id)
        assert pages(found, 2) == WANTED[:3]
        assert server.running
