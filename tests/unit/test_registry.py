import pytest

from pipeline.country import COUNTRIES
from pipeline.problem import Problem
from pipeline.registry import Party, Registry, Sensor, read_registry
from pipeline.share.terms import Conditions, Grant, Granularity
from pipeline.share.tlp import Pap, Tlp

GOOD = """\
[[organisation]]
id = "cz-nren"              # [a-z0-9-]+, unique
country = "CZ"
name = "Czech research network"
sector = "research"
contact = "cert@cz-nren.example"
[[organisation.sensor]]
id = "cz-nren-hp-1"
country = "SK"
[[organisation.sensor]]
id = "cz-nren-hp-2"

[[organisation]]
id = "ke-bank"
country = "KE"
name = "Bank"
"""
ORGANISATION = '[[organisation]]\nid = "a"\ncountry = "CZ"\nname = "A"\n'


def read(text: str, prefix: str = "") -> Registry:
    registry, problems = read_registry(text, prefix=prefix)
    assert problems == []
    assert registry is not None
    return registry


def wrong(text: str, prefix: str = "") -> list[tuple[int | None, str]]:
    registry, problems = read_registry(text, "s.toml", prefix)
    assert registry is None
    assert {problem.where for problem in problems} == {"s.toml"}
    return [(problem.line, problem.message) for problem in problems]


def test_sensors_speak_for_the_country_they_stand_in() -> None:
    registry = read(GOOD)
    assert registry.sensors == {
        "cz-nren-hp-1": Party("cz-nren", "SK"),
        "cz-nren-hp-2": Party("cz-nren", "CZ"),
    }
    first, second = registry.organisations
    assert (first.sector, first.contact) == ("research", "cert@cz-nren.example")
    assert first.sensors[0] == Sensor("cz-nren-hp-1", Party("cz-nren", "SK"))
    assert (second.sector, second.contact, second.sensors) == (None, None, ())


def test_an_organisation_without_sensors_has_its_home_topic() -> None:
    registry = read(GOOD)
    assert registry.parties == (
        Party("cz-nren", "CZ"),
        Party("cz-nren", "SK"),
        Party("ke-bank", "KE"),
    )
    assert registry.topics("exercise-") == {
        "exercise-events.cz.cz-nren": Party("cz-nren", "CZ"),
        "exercise-events.sk.cz-nren": Party("cz-nren", "SK"),
        "exercise-events.ke.ke-bank": Party("ke-bank", "KE"),
    }


def test_an_organisation_whose_sensors_all_stand_elsewhere_has_no_home_party() -> None:
    registry = read(ORGANISATION + '[[organisation.sensor]]\nid = "s"\ncountry = "SK"\n')
    assert registry.parties == (Party("a", "SK"),)


def test_windows_line_ends_and_a_byte_order_mark_are_read() -> None:
    assert read("\ufeff" + GOOD.replace("\n", "\r\n")) == read(GOOD)


def test_tables_may_be_written_in_line() -> None:
    text = 'organisation = [{id = "a", country = "CZ", name = "A", sensor = [{id = "s"}]}]'
    assert read(text).sensors == {"s": Party("a", "CZ")}
    assert wrong(text.replace("CZ", "UK"))[0][0] == 1
    assert wrong(ORGANISATION + 'sensor = [\n  {id = ""},\n]') == [(5, "id is empty")]


def test_all_problems_come_at_once_each_with_its_line() -> None:
    text = '''\
# [[organisation]] in a comment
[[organisation]]
id = "Bad_Id"
country = "UK"
name = """
[[organisation]]
id = "in a string"
"""
colour = "red"

[[ organisation ]]
"id" = "b"
name = 7
  [[organisation.sensor]]
  id = "s"
  contry = "CZ"
  [["organisation".'sensor']]
  id = "s"
  country = "cz"
  [[organisation.sensor]]

[[organization]]
id = "x"
[[organisation]]
id = "b"
country = "XK"
name = "b"
'''
    assert wrong(text) == [
        (3, "organisation id 'Bad_Id' may hold only a-z, 0-9 and '-'"),
        (4, "country 'UK' is not an ISO 3166-1 alpha-2 country code; did you mean 'GB'?"),
        (5, "name '[[organisation]]\\nid = \"in a string\"\\n' holds a control character"),
        (
            9,
            "unknown key 'colour'; there are id, country, name, sector, contact, trust, tlp, pap, "
            "releasable_to, sensor",
        ),
        (11, "country is missing: an ISO 3166-1 alpha-2 code"),
        (13, "name must be text in quotes"),
        (16, "unknown key 'contry'; did you mean 'country'?"),
        (18, "sensor id 's' is there twice, first on line 15: ids are unique"),
        (19, "country 'cz' is not an ISO 3166-1 alpha-2 country code; did you mean 'CZ'?"),
        (20, "sensor without an id"),
        (22, "unknown key 'organization'; did you mean 'organisation'?"),
        (25, "organisation id 'b' is there twice, first on line 12: ids are unique"),
        (26, "country 'XK' is not an ISO 3166-1 alpha-2 country code"),
    ]


def test_a_sensor_id_is_unique_over_all_organisations() -> None:
    sensor = '[[organisation.sensor]]\nid = "s"\n'
    text = ORGANISATION + sensor + ORGANISATION.replace('"a"', '"b"') + sensor
    assert wrong(text) == [(12, "sensor id 's' is there twice, first on line 6: ids are unique")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "no [[organisation]] in it"),
        ("a = \n", 1, "not TOML: Invalid value"),
        ("a = 1\n\nb", 3, "not TOML: Expected '=' after a key in a key/value pair"),
        ("a = " + "[" * 100_000, None, "not TOML: nested too deep"),
        ("organisation = 3", 1, "organisation must be written as tables, each under"),
        ("[organisation]\nid = 'a'", 1, "organisation must be written as tables, each under"),
        (ORGANISATION + "sensor = 'x'", 5, "sensor must be written as tables, each under"),
        (ORGANISATION + "[organisation.place]", 5, "unknown key 'place'"),
        (ORGANISATION + "[[organisation.sensor]]\nid = ' '", 6, "id is empty"),
        (ORGANISATION + f"[[organisation.sensor]]\nid = '{'x' * 257}'", 6, "id is 257 characters"),
        (ORGANISATION + '[[organisation.sensor]]\nid = "a\\u0000"', 6, "id 'a\\x00' holds a control"),
        (ORGANISATION + "[[organisation.sensor]]\nid.x = 1", 6, "id must be text in quotes"),
        (ORGANISATION + "[organisation.sensor]\nid = 's'", 5, "sensor must be written as tables"),
        (
            ORGANISATION + "[[organisation.sensor]]\nid = 's'\n[organisation.sensor.place]",
            7,
            "unknown key 'place'",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(text: str, line: int | None, message: str) -> None:
    ((found, said),) = wrong(text)
    assert found == line
    assert said.startswith(message)


def test_a_number_past_python_s_limits_is_a_problem() -> None:
    ((line, message),) = wrong("a = " + "1" * 5000)
    assert line is None
    assert message.startswith("not TOML: ")


def test_topics_keep_to_kafka_s_limits() -> None:
    longest = "a" * (249 - len("events.cz."))
    text = ORGANISATION.replace('"a"', f'"{longest}"')
    assert read(text).topics() == {f"events.cz.{longest}": Party(longest, "CZ")}
    ((line, message),) = wrong(text, prefix="x.")
    assert line == 2
    assert message.endswith("is 251 characters long, Kafka allows 249")
    ((_, message),) = wrong(ORGANISATION, prefix="x/")
    assert message == "topic 'x/events.cz.a' may hold only letters, digits, '.', '_' and '-'"


def test_a_problem_reads_as_a_line() -> None:
    assert str(Problem("s.toml", 3, "id is empty")) == "s.toml:3: id is empty"
    assert str(Problem("s.toml", None, "no [[organisation]] in it")).startswith("s.toml: no")


def test_there_are_249_countries() -> None:
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isascii() and code.isupper() for code in COUNTRIES)


def test_an_organisation_says_on_what_terms_it_shares() -> None:
    text = ORGANISATION + (
        'tlp = "GREEN"\npap = "AMBER"\n'
        'releasable_to = ["SK", "b-org", "alliance:v4", { to = "public", as = "count" }]\n'
    )
    registry = read(text)
    (one,) = registry.organisations
    assert registry.terms.of(one.id) == Conditions(
        Tlp.GREEN,
        Pap.AMBER,
        (
            Grant("SK"),
            Grant("b-org"),
            Grant("alliance:v4"),
            Grant("public", Granularity.COUNT),
        ),
        country="CZ",
    )
    assert registry.terms.of("nobody").label(None) is Tlp.AMBER_STRICT


def test_terms_that_nobody_can_keep_are_named_with_their_lines() -> None:
    text = ORGANISATION + (
        'tlp = "green"\npap = 3\n'
        'releasable_to = ["sk", "XX", "V4", 7, { to = "SK", as = "name" }, { to = "SK", by = "x" }]'
        '\n[[organisation]]\nid = "c"\ncountry = "CZ"\nname = "c"\nreleasable_to = "SK"\n'
        '[[organisation]]\nid = "public"\ncountry = "CZ"\nname = "p"\n'
    )
    nobody = (
        "is no country (CZ), organisation (cz-nren), alliance (alliance:v4), 'community' or "
        "'public'"
    )
    assert wrong(text) == [
        (5, "tlp must be one of CLEAR, GREEN, AMBER, AMBER+STRICT, RED"),
        (6, "pap must be one of CLEAR, GREEN, AMBER, RED"),
        (7, f"releasable_to: 'XX' {nobody}"),
        (7, f"releasable_to: 'V4' {nobody}"),
        (7, 'releasable_to: each must be text, or { to = "SK", as = "country" }'),
        (7, "releasable_to: as must be one of organisation, country, count"),
        (7, "releasable_to: unknown key 'by'; there are to, as"),
        (12, "releasable_to must be a list"),
        (14, "organisation id 'public': releasable_to would mean everybody by 'public'"),
    ]
