"""The dashboard as it is used: real topics, a real server, a real browser."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from confluent_kafka import Producer
from playwright.sync_api import Browser, Locator, Page, expect
from typer.testing import CliRunner

from pipeline.campaign import label as labels
from pipeline.campaign.campaign import Status
from pipeline.shell import observe
from pipeline.shell.cli import cli
from pipeline.shell.notify import records
from pipeline.shell.observe import read_topic
from pipeline.shell.ports import free_port
from pipeline.shell.processes import Child, until
from pipeline.shell.security import for_librdkafka
from pipeline.shell.serve.rows import Record
from pipeline.shell.settings import Settings
from tests.bench.serving import watched
from tests.integration.browser import CHROMIUM, chromium, looking
from tests.integration.conftest import Broker
from tests.integration.harness import MARX_SENSORS, Pipeline
from tests.unit import told
from tests.unit.test_monitoring import PROMTOOL

pytestmark = pytest.mark.kafka
in_a_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing"),
]
RULES = Path(__file__).parents[2] / "deploy" / "rules"
TERMS = """
[[organisation]]
id = "cz-nren"
country = "CZ"
name = "Czech research network"
tlp = "AMBER"
releasable_to = ["KE"]
[[organisation.sensor]]
id = "cz-1"
[[organisation]]
id = "br-nren"
country = "BR"
name = "Brazilian research network"
[[organisation.sensor]]
id = "br-1"
"""


class Desk:
    """Topics of its own, and a server that can be killed and started again on the same port."""

    def __init__(
        self, broker: Broker, folder: Path, prefix: str, sensors: str = "", **settings: str
    ) -> None:
        registry = MARX_SENSORS
        if sensors:
            registry = folder / "sensors.toml"
            registry.write_text(sensors)
        self.pipeline = Pipeline(
            broker.bootstrap,
            prefix,
            RULES,
            registry,
            serve_store=str(folder / "serve.sqlite"),
            serve_port=free_port(),
            serve_metrics_port=free_port(),
            **settings,
        )
        # In a thread of its own: Playwright has a loop in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.pipeline.create_topics).result()
        self.address = f"http://127.0.0.1:{self.settings.serve_port}/"
        self.child = self._child()
        self.child.start()

    @property
    def settings(self) -> Settings:
        return self.pipeline.settings

    def _child(self) -> Child:
        return Child("-m", "pipeline", "serve", environment=self.settings.environment())

    def kill(self) -> None:
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.stop()

    def start(self) -> None:
        self.child = self._child()
        self.child.start()

    def tell(self, *records: Record) -> None:
        """As the stages would."""

        producer = Producer(for_librdkafka(self.settings))
        for one in records:
            producer.produce(self.settings.topic(one.kind), one.value, one.key)
        assert producer.flush(20) == 0

    def said(self, of: str) -> list[labels.Label]:
        """The labels on the topic of one alert or campaign."""

        async def read() -> list[labels.Label]:
            topic = self.settings.topic("labels")
            return [labels.decode(value) async for value in read_topic(self.settings, topic)]

        # In a thread of its own: Playwright has a loop in this one.
        with ThreadPoolExecutor(1) as pool:
            return [one for one in pool.submit(asyncio.run, read()).result() if one.id == of]

    def thread(self, about: str, to: str) -> str | None:
        """By which name somebody knows a campaign, if there was a letter."""
        with ThreadPoolExecutor(1) as pool:
            entries = pool.submit(asyncio.run, records.entries(self.settings)).result()
        return next((one.thread for one in entries if (one.about, one.to) == (about, to)), None)

    def rows(self, kind: str, query: str = "") -> dict[str, dict[str, object]]:
        answer = httpx.get(f"{self.address}api/{kind}?{query}").raise_for_status()
        return {row["id"]: row for row in answer.json()["rows"]}

    def until_shown(self, kind: str, *ids: str) -> None:
        for one in ids:
            address = f"{self.address}api/{kind}/{one}"
            until(lambda at=address: httpx.get(at).is_success, f"{one} is shown")  # type: ignore[misc]


@pytest.fixture(scope="module")
def desk(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = Desk(broker, tmp_path_factory.mktemp("desk"), "dashboard.")
    try:
        yield made
    finally:
        made.child.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def campaign(
    identity: str, value: str, *countries: str, severity: int = 4, kind: str = "ip"
) -> Record:
    made = told.campaign(
        identity, ((kind, value),), countries, severity=severity, alerts=(f"of-{identity}",)
    )
    return told.record(made)


def test_killed_and_begun_anew_it_shows_what_the_topics_hold(desk: Desk) -> None:
    desk.tell(told.record(told.alert("k1", "198.18.0.1")), campaign("k-c", "198.18.0.1", "CZ"))
    desk.until_shown("alerts", "k1")
    desk.until_shown("campaigns", "k-c")
    desk.kill()
    desk.tell(
        told.record(told.alert("k1", "198.18.0.1", countries=("CZ", "KE", "BR"))),
        told.record(told.alert("k2", "198.18.0.2")),
        told.record(told.label("k2")),
        Record("campaigns", b"k-c", None, 0),
    )
    desk.start()
    desk.until_shown("alerts", "k2")
    until(lambda: desk.rows("alerts")["k1"]["countries"] == ["CZ", "KE", "BR"], "it is updated")
    until(lambda: desk.rows("alerts", "label=benign"), "the label is read")
    until(lambda: "k-c" not in desk.rows("campaigns"), "what is gone is gone")
    before = desk.rows("alerts")

    desk.kill()
    for path in Path(desk.settings.serve_store).parent.glob("serve.sqlite*"):
        path.unlink()
    desk.start()
    desk.until_shown("alerts", *before)
    until(lambda: desk.rows("alerts", "label=benign"), "the label is read")
    anew = desk.rows("alerts")
    for one in (*before.values(), *anew.values()):
        one.pop("revision")
    assert anew == before
    until(lambda: httpx.get(f"{desk.address}readyz").text == "ready\n", "it says so")


def test_prometheus_sees_what_it_does(desk: Desk) -> None:
    at = f"http://127.0.0.1:{desk.settings.serve_metrics_port}"
    kept = httpx.get(f"{at}/metrics").text
    answered = observe.metrics(desk.settings.serve_metrics_port)
    desk.tell(told.record(told.alert("m1", "198.18.9.1")), Record("alerts", b"m2", b"{", 0))
    desk.until_shown("alerts", "m1")
    assert httpx.get(f"{desk.address}api/alerts/none").status_code == 404
    with httpx.stream("GET", f"{desk.address}events?of=alerts&after=0") as stream:
        coming = stream.iter_lines()  # to be let go is to be gone
        next(coming)
        seen = observe.metrics(desk.settings.serve_metrics_port)
    assert seen["sightline_dashboard_viewers"] >= 1
    refused = 'sightline_dashboard_requests_total{status="4xx"}'
    assert seen[refused] >= answered.get(refused, 0) + 1
    assert seen["sightline_dashboard_request_seconds_count"] == sum(
        count
        for name, count in seen.items()
        if name.startswith("sightline_dashboard_requests_total{")
    )
    assert seen["sightline_dashboard_store_bytes"] > 10_000
    assert seen["sightline_dashboard_records_not_ours_total"] >= 1
    until(
        lambda: observe.metrics(desk.settings.serve_metrics_port)[
            "sightline_dashboard_behind_records"
        ] == 0,
        "all is shown",
    )  # fmt: skip
    assert httpx.get(f"{at}/readyz").text == "ok\n"
    assert httpx.get(f"{desk.address}metrics").status_code == 404, "its pages have none"
    if PROMTOOL is not None:
        subprocess.run([PROMTOOL, "check", "metrics"], input=kept, text=True, check=True)


def lines(desk: Desk, after: str, headers: dict[str, str], enough: int) -> tuple[list[str], str]:
    """The ids that an event stream brings until there are enough, and its last event's id."""
    found: list[str] = []
    last = ""
    with httpx.stream(
        "GET", f"{desk.address}events?of=alerts&after={after}", headers=headers, timeout=30
    ) as stream:
        for line in stream.iter_lines():
            if line.startswith("id: "):
                last = line.removeprefix("id: ")
            elif line.startswith("data: ["):
                found += [row["id"] for row in json.loads(line.removeprefix("data: "))]
                if len(found) >= enough:
                    return found, last
    raise AssertionError("the stream ended")


def test_a_stream_goes_on_after_what_was_seen_last(desk: Desk) -> None:
    start = httpx.get(f"{desk.address}api/alerts").json()["revision"]
    desk.tell(*(told.record(told.alert(f"s{n}", f"198.18.1.{n}")) for n in range(3)))
    found, last = lines(desk, start, {}, 3)
    assert sorted(found) == ["s0", "s1", "s2"]
    # Away meanwhile: one changes twice, one is new; the server is killed, too.
    desk.tell(told.record(told.alert("s1", "198.18.1.1", countries=("BR",))))
    desk.kill()
    desk.tell(
        told.record(told.alert("s1", "198.18.1.1", countries=("BR", "KE"))),
        told.record(told.alert("s9", "198.18.1.9")),
    )
    desk.start()
    desk.until_shown("alerts", "s9")
    until(lambda: desk.rows("alerts")["s1"]["countries"] == ["BR", "KE"], "all is read")
    again, _ = lines(desk, start, {"Last-Event-ID": last}, 2)
    assert sorted(again) == ["s1", "s9"]


def test_viewers_of_a_server_that_crashes_come_to_what_stands(desk: Desk) -> None:
    """Eight of them, one slow; `make serving` is this with fifty, for a minute."""

    def restart() -> None:
        desk.kill()
        desk.start()

    found = asyncio.run(watched(desk.settings, lambda: desk.child.pid, 8, 200, 5, restart))
    assert found["without_gap"] == 8
    assert int(str(found["breaks"])) >= 8


class TestInABrowser:
    """One page a test, one server and browser for all."""

    pytestmark = in_a_browser

    def row(self, page: Page, value: str) -> Locator:
        return page.locator("a.row", has_text=value)

    def test_a_campaign_is_one_row_that_changes_in_its_place(
        self, desk: Desk, browser: Browser
    ) -> None:
        desk.tell(campaign("b1", "198.18.2.1", "CZ", "KE"), campaign("b2", "198.18.2.2", "BR"))
        desk.until_shown("campaigns", "b1", "b2")
        with looking(browser, desk.address) as (page, wrong):
            ours = self.row(page, "198[.]18[.]2[.]1")
            expect(ours.locator(".country")).to_have_text(["CZ", "KE"])
            desk.tell(campaign("b1", "198.18.2.1", "CZ", "KE", "PT"))
            expect(ours.locator(".country")).to_have_text(["CZ", "KE", "PT"])
            expect(ours).to_have_count(1)
            desk.tell(campaign("b3", "198.18.2.3", "CZ", severity=5))
            expect(page.locator("a.row").first).to_contain_text("198[.]18[.]2[.]3")
            assert wrong == []

    def test_filters_stand_in_the_address_and_hold_for_rows_that_come_live(
        self, desk: Desk, browser: Browser
    ) -> None:
        desk.tell(
            campaign("f1", "198.18.3.1", "JP"),
            campaign("f2", "f2.example", "JP", "FI", kind="domain"),
        )
        desk.until_shown("campaigns", "f1", "f2")
        with looking(browser, desk.address) as (page, wrong):
            page.get_by_role("button", name="Filter", exact=True).click()
            page.get_by_label("Seen in").select_option("JP")
            expect(page.locator("a.row")).to_have_count(2)
            page.get_by_label("Indicator type").select_option("domain")
            expect(page.locator("a.row")).to_have_count(1)
            expect(page.locator("a.row")).to_contain_text("f2[.]example")
            assert "country=JP" in page.url
            desk.tell(
                campaign("f3", "198.18.3.3", "JP"),
                campaign("f4", "f4.example", "JP", kind="domain"),
            )
            expect(self.row(page, "f4[.]example")).to_be_visible()
            expect(page.locator("a.row")).to_have_count(2)
            page.reload()
            expect(page.locator("a.row")).to_have_count(2)
            page.get_by_role("button", name="Remove Indicator type: domain").click()
            expect(page.locator("a.row")).to_have_count(4)
            page.locator("#search").fill("f2[.]exam")
            page.locator("#search").press("Enter")
            expect(page.locator("a.row")).to_have_count(1)
            assert wrong == []

    def test_all_of_it_by_keys(self, desk: Desk, browser: Browser) -> None:
        desk.tell(*(campaign(f"y{n}", f"198.18.4.{n}", "CZ", severity=6) for n in (1, 2, 3)))
        desk.until_shown("campaigns", "y1", "y2", "y3")
        with looking(browser, f"{desk.address}#/campaigns?severity=6") as (page, wrong):
            expect(page.locator("a.row")).to_have_count(3)
            expect(page.locator("#detail")).to_contain_text("Choose a row")
            for key in ("j", "j", "j", "k", "Enter"):
                page.keyboard.press(key)
            second = page.locator("a.row").nth(1)
            expect(second).to_have_attribute("aria-current", "true")
            expect(page.locator("#detail .tags")).to_contain_text(
                second.get_attribute("data-id") or "?"
            )
            page.keyboard.press("?")
            expect(page.get_by_role("heading", name="Keys")).to_be_visible()
            page.keyboard.press("Escape")
            page.keyboard.press("/")
            expect(page.locator("#search")).to_be_focused()
            page.keyboard.type("jk?")  # typed, not obeyed
            expect(page.locator("#search")).to_have_value("jk?")
            page.keyboard.press("Escape")
            page.keyboard.press("u")
            expect(page.locator("#detail")).to_contain_text("Choose a row")
            assert wrong == []

    def test_a_label_is_on_the_topic_with_its_name_and_shows(
        self, desk: Desk, browser: Browser
    ) -> None:
        desk.tell(campaign("l1", "198.18.5.1", "CZ", "KE"))
        desk.until_shown("campaigns", "l1")
        with looking(browser, f"{desk.address}#/campaigns/l1") as (page, wrong):
            expect(page.locator("#detail h2")).to_be_visible()
            page.keyboard.press("f")
            page.get_by_label("On what ground").fill("our own <b>scan</b>")
            page.get_by_role("button", name="Label", exact=True).click()
            expect(page.locator("#detail .words")).to_contain_text("our own <b>scan</b>")
            expect(page.locator("#detail .tags .pill.false-positive")).to_be_visible()
            assert wrong == []

        (label,) = desk.said("l1")
        assert (label.verdict, label.basis) == ("false-positive", "our own <b>scan</b>")
        assert label.by == httpx.get(f"{desk.address}api/site").json()["person"]["name"]

    def test_after_a_crash_of_the_server_the_page_goes_on_by_itself(
        self, desk: Desk, browser: Browser
    ) -> None:
        desk.tell(campaign("r1", "198.18.6.1", "CZ"))
        desk.until_shown("campaigns", "r1")
        with looking(browser, desk.address) as (page, _):
            expect(page.locator("#fresh")).to_have_text("live")
            desk.kill()
            expect(page.locator("#fresh")).to_have_text("reconnecting")
            desk.tell(campaign("r1", "198.18.6.1", "CZ", "FI"), campaign("r2", "198.18.6.2", "CZ"))
            desk.start()
            ours = self.row(page, "198[.]18[.]6[.]1")
            expect(ours.locator(".country")).to_have_text(["CZ", "FI"])
            expect(self.row(page, "198[.]18[.]6[.]2")).to_be_visible()
            expect(page.locator("#fresh")).to_have_text("live")

    def test_no_text_of_a_sensor_becomes_markup(self, desk: Desk, browser: Browser) -> None:
        value = "<img src=x onerror=alert(1)><script>alert(2)</script>"
        desk.tell(campaign("x1", value, "CZ", kind="user_agent"))
        desk.until_shown("campaigns", "x1")
        with looking(browser, f"{desk.address}#/campaigns/x1") as (page, wrong):
            page.on("dialog", lambda asked: wrong.append(asked.message))
            expect(page.locator("#detail h2")).to_contain_text(value)
            assert page.locator("#detail script, #detail img").count() == 0
            assert wrong == []

    @pytest.mark.parametrize("theme", ["dark", "light"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_it_can_be_used_by_everybody(
        self, desk: Desk, browser: Browser, theme: str, width: int
    ) -> None:
        members = (("ip", "198.18.7.1"), ("domain", "axe.example"), ("sha256", "ab" * 32))
        desk.tell(
            told.record(told.campaign("a1", members, ("CZ", "KE", "SG"), alerts=("of-a1",))),
            told.record(told.alert("of-a1", "198.18.7.1", benign=("Scanners",))),
            told.record(told.campaign("a2", members, ("CZ",), status=Status.DORMANT)),
        )
        desk.until_shown("campaigns", "a1", "a2")
        desk.until_shown("alerts", "of-a1")
        with looking(
            browser,
            desk.address,
            color_scheme=theme,
            viewport={"width": width, "height": 860},
        ) as (page, wrong):
            expect(page.locator("#fresh")).to_have_text("live")
            page.get_by_role("button", name="Filter", exact=True).click()
            serious(page)
            for kind, identity in (("campaigns", "a1"), ("alerts", "of-a1")):
                page.goto(f"{desk.address}#/{kind}/{identity}")
                expect(page.locator("#detail .tags .mono")).to_contain_text(identity)
                for folded in page.locator("details.card > summary").all():
                    folded.click()
                serious(page)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
            if width > 760:
                page.keyboard.press("b")
                expect(page.locator("dialog")).to_be_visible()
                serious(page)
            assert wrong == []


def serious(page: Page) -> None:
    """No serious finding of axe-core."""
    found = Axe().run(page).response["violations"]
    grave = [
        (one["id"], node["html"][:200], node.get("failureSummary", "")[:300])
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"][:3]
    ]
    assert grave == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing")
def test_users_log_in_and_nobody_else_sees_anything(
    desk: Desk, tmp_path: Path, browser: Browser
) -> None:
    users = tmp_path / "users.toml"
    subprocess.run(
        [sys.executable, "-m", "pipeline", "user", "ann", "--users", str(users)],
        input="a long password\n", text=True, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    settings = msgspec.structs.replace(
        desk.settings,
        serve_port=0,
        serve_metrics_port=0,
        serve_users=str(users),
        serve_store=str(tmp_path / "s.sqlite"),
    )
    with (
        Child("-m", "pipeline", "serve", environment=settings.environment()) as child,
        looking(browser, child.ready) as (page, wrong),
    ):
        assert httpx.get(f"{child.ready}api/campaigns").status_code == 401
        serious(page)
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill("guessed it")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("do not match")
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill("a long password")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("#person")).to_contain_text("ann")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        assert wrong == []


PASSWORD = "a long password"


@pytest.fixture(scope="module")
def parted(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """With users as `sightline user` writes them down: one of the house, one for Kenya."""
    folder = tmp_path_factory.mktemp("parts")
    users = folder / "users.toml"
    for name, sees in (("house", "*"), ("kenya", "KE")):
        done = CliRunner().invoke(
            cli, ["user", name, "--sees", sees, "--users", str(users)], input=PASSWORD + "\n"
        )
        assert done.exit_code == 0, done.output
    made = Desk(broker, folder, "parts.", TERMS, serve_users=str(users))
    try:
        yield made
    finally:
        made.child.stop()


def test_who_sees_a_part_is_told_no_more_by_a_real_server(parted: Desk) -> None:
    """From topics to pages and live rows."""
    house, kenya = (
        httpx.Client(base_url=parted.address, auth=(name, PASSWORD), timeout=30)
        for name in ("house", "kenya")
    )

    def rows(client: httpx.Client) -> list[dict[str, object]]:
        return list(client.get("api/campaigns").raise_for_status().json()["rows"])

    parted.tell(
        told.record(told.alert("s1", "198.18.7.1", countries=("CZ", "BR"))),
        campaign("s-c", "198.18.7.1", "CZ", "BR"),
        campaign("s-h", "198.18.7.2", "BR"),
    )
    until(lambda: len(rows(house)) == 2, "the house sees both")
    (one,) = until(lambda: rows(kenya), "what is released is shown")
    assert (one["countries"], one["organisations"]) == (["CZ"], 1)
    before = kenya.get("api/campaigns").content
    first = _live(kenya)
    # Only what is hidden grows, and something is said of it.
    parted.tell(
        campaign("s-c", "198.18.7.1", "CZ", "BR", "US"),
        campaign("s-i", "198.18.7.3", "BR"),
        told.record(told.label("s-c")),
    )
    until(lambda: len(rows(house)) == 3, "the house sees what came")
    parted.tell(campaign("s-l", "198.18.7.4", "CZ"))
    until(lambda: len(rows(kenya)) == 2, "what came last is shown")
    (same,) = (row for row in rows(kenya) if row["id"] == one["id"])
    assert same == one
    for said in (before, first, kenya.get("api/campaigns").content, _live(kenya)):
        for hidden in (b"BR", b"br-nren", b"198.18.7.2", b"198.18.7.3", b"s-c"):
            assert hidden not in said
    assert b"198.18.7.2" in _live(house)
    assert kenya.get("api/alerts").json()["rows"] == []
    assert kenya.get("api/campaigns/s-c").status_code == 404


class TestOfAPart:
    pytestmark = in_a_browser

    def test_the_page_of_a_part_has_campaigns_and_nothing_to_label(
        self, parted: Desk, browser: Browser
    ) -> None:
        parted.tell(campaign("p-c", "198.18.8.1", "CZ", "BR"))
        context = browser.new_context()
        try:
            page = context.new_page()
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(f"{parted.address}login")
            page.get_by_label("Name").fill("kenya")
            page.get_by_label("Password").fill(PASSWORD)
            page.keyboard.press("Enter")
            expect(page.locator("#person")).to_be_visible()
            # It is long ago, and so over to whom only time tells.
            page.goto(f"{parted.address}#/campaigns?show=any")
            row = page.locator("a.row", has_text="198[.]18[.]8[.]1")
            expect(row).to_be_visible(timeout=30_000)
            expect(page.locator('[data-view="alerts"]')).to_be_hidden()
            row.click()
            expect(page.locator("#detail")).to_contain_text("CZ")
            expect(page.locator('[data-verdict="benign"]')).to_be_disabled()
            assert "BR" not in page.locator("#detail").inner_text()
            assert wrong == []
        finally:
            context.close()


def sightline(desk: Desk, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env=os.environ | desk.settings.environment(),
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing")
def test_a_campaign_shows_to_whom_it_was_released_and_what_they_say(
    broker: Broker, tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the stages release and notify, and what is written back, from topics to the page."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "directory.toml").write_text(f"""
[[csirt]]
id = "cz-csirt"
name = "National CSIRT of the Czech Republic"
country = "CZ"
role = "national"
verified_at = {datetime.now(UTC).date()}
constituency = {{ countries = ["CZ"] }}
""")
    made = Desk(
        broker, tmp_path, "beside.", TERMS.replace('["KE"]', '["CZ", "KE"]'),
        alliances=str(tmp_path / "alliances"), directory=str(tmp_path / "directory.toml"),
        audit_log=str(tmp_path / "audit.jsonl"), notify_hold="1s",
    )  # fmt: skip
    try:
        sightline(made, "alliance", "create", "v4", "--key", str(tmp_path / "lead.pem"),
                  "--member", "CZ", "--member", "KE")  # fmt: skip
        sightline(made, "topics")
        made.kill()
        made.start()  # an alliance is one of its settings
        made.tell(campaign("r1", "198.18.8.1", "CZ", "KE"), campaign("r2", "198.18.8.2", "BR"))
        made.until_shown("campaigns", "r1", "r2")
        with (
            made.pipeline.worker("--stage", "alliances"),
            made.pipeline.worker("--stage", "share"),
            looking(browser, made.address) as (page, wrong),
        ):
            until(lambda: set(made.rows("campaigns", "alliance=v4")) == {"r1"}, "it is released")
            page.reload()
            page.get_by_role("button", name="Filter", exact=True).click()
            page.get_by_label("Alliance").select_option("v4")
            expect(page.locator("a.row")).to_have_count(1)
            page.locator("a.row").click()
            expect(page.locator("#detail .tags")).to_contain_text("released to v4")
            expect(page.locator("#detail")).not_to_contain_text("Replies")
            thread = until(lambda: made.thread("r1", "cz-csirt"), "its CSIRT has a letter")
            assert thread is not None
            sightline(made, "reply", thread, "received", "--as", "cz-csirt")
            asked = ("--as", "operator", "--text", "whose <b>host</b> was it?")
            sightline(made, "reply", "r1", "need-more", *asked)
            replies = page.locator("#detail details", has_text="Replies")
            expect(replies.locator(".pill")).to_have_text(["need more", "received"])
            expect(replies).to_contain_text("cz-csirt")
            expect(replies).to_contain_text("whose <b>host</b> was it?")
            serious(page)
            assert wrong == []
    finally:
        made.child.stop()


def _live(client: httpx.Client) -> bytes:
    """What a viewer is sent first."""
    with client.stream("GET", "events?of=campaigns&after=0") as answer:
        got = b""
        for part in answer.iter_bytes():
            got += part
            if b"event: rows" in got and got.endswith(b"\n\n"):
                return got
    raise AssertionError("it ended")
