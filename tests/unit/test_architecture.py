"""The way of the data is the table of contents, and the core is pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pipeline

ROOT = Path(pipeline.__file__).parent
# Native logs to events. Each format is a module of its own and stands on what is read first, beside
# the others: of formats, only those that come within another import one.
SHARED = (
    "instant",
    "value",
    "column",
    "required",
    "table",
    "outline",
    "mapper",
    "record",
    "format",
    "common",
    "java_time",
    "advisory",
    "pairs",
    "syslog",
)
WITHIN = ("sshd", "iptables", "filterlog", "mikrotik", "zeek_tables")
FORMATS = (
    *("access_log", "cef", "cloudtrail", "columns", "cowrie", "csaf", "cyclonedx", "dionaea"),
    *("ecs", "fortigate", "heralding", "idea", "leef", "log_file", "misp", "ocsf", "opencanary"),
    *("openvex", "osv", "panos", "suricata", "tpot", "vpcflow", "zeek"),
)
ADAPTER = (*SHARED, *WITHIN, *FORMATS, "catalogue", "written", "conversion")
# A module may import what stands before it, never what stands after it.
WAY = (
    "problem",
    "country",
    "indicator_type",
    "event",
    "lane",
    "decode",
    "canonical",
    "indicator",
    "command_words",
    "command",
    *(f"adapter.{name}" for name in ADAPTER),
    "share.tlp",
    "share.mark",
    "share.terms",
    "registry",
    "party",
    "yaml_node",
    "rule",
    "matching",
    "detection",
    "correlation",
    "rule_file",
    "clock",
    "slices",
    "window",
    "sight",
    "company",
    "fold",
    "geo",
    "aspects",
    "feedback",
    "tally",
    "intake",
    "watermark",
    "surprise",
    "endemic",
    "memory",
    "episode",
    "teller",
    "track",
    "label_track",
    "count_track",
    "correlate",
    "checkpoint",
    "shard",
    "canary",
    "warninglist",
    "benign",
    "alert",
    "watch",
    "watching",
    *(f"intel.{stage}" for stage in ("reading", "pattern", "stix", "misp")),
    *(f"campaign.{stage}" for stage in ("chance", "evidence", "company", "presence", "kin")),
    "campaign.union",
    "campaign.likeness",
    *(f"campaign.{stage}" for stage in ("group", "match", "confidence", "label", "campaign")),
    *(f"campaign.{stage}" for stage in ("verdict", "room", "life", "desk")),
    "share.credential",
    "share.release",
    "share.dsse",
    "share.alliance",
    "share.views",
    "share.counts",
    *(f"share.{stage}" for stage in ("moment", "outward", "uri", "stix_object")),
    *(f"share.{stage}" for stage in ("stix_value", "stix", "stix_version", "misp", "ocsf")),
    "share.audit",
    *(f"share.{stage}" for stage in ("evidence", "country_names", "phrasing", "neutral")),
    *("share.pseudonym", "share.privacy", "share.deadline", "share.draft"),
    *("share.retention", "share.processing"),
    "share.defang",
    *(f"share.{stage}" for stage in ("subject", "filter", "directory", "route", "letter", "reply")),
    *(f"share.{stage}" for stage in ("suppression", "ledger", "signature", "syslog_line")),
    *(
        f"share.{stage}"
        for stage in ("subscriber", "way", "ruling", "asker", "correspondence", "account")
    ),
    "share.addressee",
    "share.directory_import",
    *(f"view.{stage}" for stage in ("facet", "line", "dossier")),
    "dead_letter",
    "resend",
    "share.erasure",
    *(f"explain.{part}" for part in ("judge", "inquiry", "named", "when")),
    *(f"explain.{part}" for part in ("found", "watched", "absence", "grouped", "words")),
    # Beside the way: labelled worlds to try it on, and how well it did.
    *(f"world.{stage}" for stage in ("dice", "mint", "places", "saying", "commons", "act")),
    "world.script",
    *(f"world.{kind}" for kind in ("worm", "stuffing", "intrusion", "slow", "supply", "flood")),
    *(f"world.{stage}" for stage in ("background", "liar", "arrival", "truth", "world")),
    *("measure.told", "measure.bcubed", "measure.score", "measure.raised"),
    # Exercises, on a lane of their own.
    *(f"exercise.{part}" for part in ("cexf", "control", "payload", "seal", "conduct", "team")),
)
# These reckon with a calendar, which `datetime` has; what time it is they are told.
CALENDAR = {"share.deadline"}
NOW = re.compile(r"\b(?:now|today|utcnow|fromtimestamp)\(")
READS_ADDRESSES = re.compile(
    r"^from socket import AF_INET(?:, AF_INET6)?, inet_pton$", re.MULTILINE
)
FORBIDDEN = {
    *("faust", "mode", "aiokafka", "confluent_kafka", "prometheus_client", "maxminddb"),
    *("asyncio", "threading", "subprocess", "multiprocessing", "socket", "urllib", "http"),
    *("time", "datetime", "random", "secrets", "os", "io", "pathlib", "tempfile", "logging"),
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: a relative import"
            module = node.module or ""
            if (ROOT.parent / module.replace(".", "/")).is_dir():  # a package, by its own name
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


def core() -> list[Path]:
    found = (
        path for path in sorted(ROOT.rglob("*.py")) if path.stem not in {"__init__", "__main__"}
    )
    return [path for path in found if path.relative_to(ROOT).parts[0] != "shell"]


def stage(path: Path) -> str:
    """Its place on the way: `window`, or in a package of the core `world.dice`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_module_of_the_core_has_its_place() -> None:
    assert {stage(path) for path in core()} == set(WAY)


READS_ADDRESSES = re.compile(r"^from socket import AF_INET, (AF_INET6, )?inet_pton$", re.MULTILINE)


def test_the_core_is_pure() -> None:
    for path in core():
        found = {name.split(".")[0] for name in imports(path)} & FORBIDDEN
        if "socket" in found and READS_ADDRESSES.search(path.read_text("utf-8")):
            found.remove("socket")  # it reads a text, and has nothing to do with sockets
        if stage(path) in CALENDAR:
            found.discard("datetime")
            assert not NOW.search(path.read_text("utf-8")), path.name
        assert not found, f"{path.name} imports {found}"
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"open", "print", "input"}, path.name


def test_a_stage_imports_only_what_lies_before_it() -> None:
    for path in core():
        before = set(WAY[: WAY.index(stage(path))]) | {"__version__"}
        ours = {name.partition(".")[2] for name in imports(path) if name.startswith("pipeline.")}
        assert ours <= before, f"{stage(path)}: {sorted(ours - before)}"


def test_a_format_knows_no_other() -> None:
    formats = {f"pipeline.adapter.{name}" for name in FORMATS}
    for name in FORMATS:
        assert not set(imports(ROOT / "adapter" / f"{name}.py")) & formats, name


def test_modules_can_be_read_at_a_sitting() -> None:
    for path in ROOT.rglob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 400, path.name
