"""A Sigma base rule's `detection` as it is read: by pySigma, field by field. No I/O here.

pySigma knows no lines, so that it is asked of each field alone, and what it does not like is told
with the line of that field. What is right is compiled by `pipeline.matching`.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, Final

import msgspec
import yaml
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections

from pipeline.matching import UnsupportedError, compiled, only
from pipeline.problem import quoted
from pipeline.rule import Selection
from pipeline.yaml_node import TRUE, Reading

_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")
_NULL: Final = "tag:yaml.org,2002:null"
_WORD: Final = re.compile(r"[\w*?-]+")
_PLACE: Final = re.compile(r"\s+\(at char \d+\), \(line:\d+, col:(\d+)\)")  # not the file's line
_NOT_TAKEN: Final = (
    *(SigmaError, UnsupportedError, re.error, ValueError, TypeError),
    *(OverflowError, RecursionError),  # of Python's regular expressions
)


def read_detection(reading: Reading, node: yaml.Node, name: str) -> Selection | None:
    """The selection that a rule's `detection` is; or None, and `reading` has noted why not."""
    if not isinstance(node, yaml.MappingNode):
        reading.wrong(node, "detection must be a mapping: searches by name, and a condition")
        return None
    before = len(reading.problems)
    searches: dict[str, SigmaDetection] = {}
    said: dict[str, Any] = {}
    condition: tuple[yaml.Node, str] | None = None
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            reading.wrong(key, "a key of detection must be a plain word")
        elif key.value == "condition":
            text = reading.text(value, "detection.condition")
            condition = None if text is None else (value, text)
        elif (plain := _plain(reading, value)) is not None:
            said[key.value] = plain
            if (search := _search(reading, value, plain)) is not None:
                searches[key.value] = search
    if not any(key.value == "condition" for key, _ in node.value):
        reading.wrong(node, "detection.condition is missing: which of its searches must match")
    elif not said and len(reading.problems) == before:
        reading.wrong(node, "detection has no search beside its condition")
    if len(reading.problems) > before or condition is None:
        return None
    at, text = condition
    attributes: set[str] = set()
    try:
        tree = SigmaDetections(dict(searches), [text]).parsed_condition[0].parsed
        matches = compiled(tree, attributes)
    except (SigmaError, UnsupportedError, RecursionError) as error:
        reading.wrong(at, f"detection.condition: {_first_line(error)}")
        return None
    for key, _ in node.value:
        if key.value != "condition" and not _asked_for(key.value, text):
            reading.wrong(key, f"search {quoted(key.value)}: detection.condition does not name it")
    if len(reading.problems) > before:
        return None
    meaning = msgspec.json.encode((said, text), order="sorted")
    digest = blake2b(meaning, digest_size=8, person=b"selection").hexdigest()
    classes, needs = only(tree)
    return Selection(name, digest, tuple(sorted(attributes)), matches, classes, needs)


def _asked_for(search: str, condition: str) -> bool:
    """Is a search named in a condition, alone or by a pattern as `x*`, or one of `them`?"""
    return any(
        fnmatchcase(search, word) or (word == "them" and not search.startswith("_"))
        for word in _WORD.findall(condition)
    )


def _plain(reading: Reading, node: yaml.Node) -> Any:
    """A search as plain values; None, and noted, if it is neither a mapping nor a list of them."""
    if isinstance(node, yaml.MappingNode):
        found = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                reading.wrong(key, "a field must be a plain word")
            else:
                found[key.value] = _values_of(reading, value)
                each = value.value if isinstance(value, yaml.SequenceNode) else [value]
                if "|" in key.value and any(one.tag == _NULL for one in each):
                    reading.wrong(value, f"{quoted(key.value)}: null takes no modifier")
        return found
    if isinstance(node, yaml.SequenceNode) and all(
        isinstance(each, yaml.MappingNode) for each in node.value
    ):
        return [_plain(reading, each) for each in node.value]
    reading.wrong(node, "a search must be fields with their values, or a list of such")
    return None


def _values_of(reading: Reading, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        if not node.value:
            reading.wrong(node, "an empty list: write null for an attribute that is not there")
        return [_value(reading, each) for each in node.value]
    return _value(reading, node)


def _value(reading: Reading, node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        reading.wrong(node, "a field's value must be a single one, or a list of single ones")
        return None
    text = str(node.value)
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "bool":
            return text.lower() in TRUE
        case "int" if _WHOLE.fullmatch(text):
            return int(text)
        case "float" if _DECIMAL.fullmatch(text):
            return float(text)
        case "str" | "timestamp":
            return text
    reading.wrong(node, f"{quoted(text)}: write numbers in decimal, or put it in quotes")
    return None


def _search(reading: Reading, node: yaml.Node, plain: Any) -> SigmaDetection | None:
    """As pySigma understands it. Field by field, so that what is wrong is told with its line."""
    if isinstance(node, yaml.SequenceNode):
        parts = [_search(reading, each, of) for each, of in zip(node.value, plain, strict=True)]
        good = [part for part in parts if part is not None]
        if not parts:
            reading.wrong(node, "a search without fields selects nothing")
        return SigmaDetection(list(good)) if good else None
    items: list[SigmaDetectionItem | SigmaDetection] = []
    if not node.value:
        reading.wrong(node, "a search without fields selects nothing")
    for key, _ in node.value:
        try:
            item = SigmaDetectionItem.from_mapping(key.value, plain[key.value])
            compiled(item.postprocess(SigmaDetections({"x": SigmaDetection([item])}, ["x"])), set())
            items.append(item)
        except _NOT_TAKEN as error:
            reading.wrong(key, f"{quoted(key.value)}: {_first_line(error)}")
    return SigmaDetection(items) if items else None


def _first_line(error: BaseException) -> str:
    said = _PLACE.sub(r" at character \1", str(error).strip().partition("\n")[0])
    return "".join(character if character.isprintable() else "?" for character in said)[:200]
