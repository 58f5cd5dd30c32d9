"""YAML as nodes that know their lines, and the questions a reader of settings asks of them.

Pure: text in, nodes and problems out; nothing in it raises. YAML is composed and never
constructed: a node cannot become an object, and cannot stand for more than was written.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

import yaml

from pipeline.problem import Problem, did_you_mean, quoted

TEXT_LIMIT: Final = 200_000  # characters of a file
DEPTH_LIMIT: Final = 16  # levels of nesting of a document

_ERRORS: Final = 20  # of syntax, of one file
_BREAK: Final = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")  # of lines, to YAML
_BEGINS: Final = re.compile(r"---(?=\s|$)")

TRUE: Final = frozenset({"true", "yes", "on"})  # to YAML

_TAG: Final = "tag:yaml.org,2002:"


class _Composer(yaml.SafeLoader):
    """Composes nodes, but no alias (few bytes can stand for gigabytes) and no deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            message = "anchors and aliases (&, *) are not supported; write the value out"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=event.start_mark)
        if self.depth >= DEPTH_LIMIT:
            message = f"nested more than {DEPTH_LIMIT} levels deep"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=event.start_mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def documents(text: str, where: str) -> tuple[list[yaml.Node], list[Problem]]:
    """The documents of a YAML text, but for those with an error of syntax, and these errors.

    After an error it is read on from where the next document begins (`---`). Empty documents are
    left out. `where` names the file in the problems.
    """
    if len(text) > TEXT_LIMIT:
        long = f"{len(text)} characters long, {TEXT_LIMIT} at most"
        return [], [Problem(where, None, long)]
    nodes: list[yaml.Node] = []
    problems: list[Problem] = []
    lines = (0, *(match.end() for match in _BREAK.finditer(text)))
    begins = [(n, at) for n, at in enumerate(lines) if _BEGINS.match(text, at)]
    rest, since = text, -1
    while (problem := _composed(rest, where, nodes)) and len(problems) < _ERRORS:
        if problem not in problems:
            problems.append(problem)
        upto = max(len(text) if problem.line is None else problem.line - 1, since + 1)
        following = next(((n, at) for n, at in begins if n >= upto), None)
        if following is None:
            break
        since, at = following
        rest = "\n" * since + text[at:]  # what is passed over keeps its lines
    return nodes, problems


def _composed(text: str, where: str, nodes: list[yaml.Node]) -> Problem | None:
    """Adds the documents before the first error of syntax, which it returns."""
    try:
        composer = _Composer(text)
        while composer.check_node():
            node = composer.get_node()
            if node is not None and node.tag != f"{_TAG}null":
                nodes.append(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return Problem(where, line, f"cannot be read as YAML: {said}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return Problem(where, line, "cannot be read as YAML: a character that YAML forbids")
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # ValueError, OverflowError: PyYAML on "\UFFFFFFFF" and on numbers past Python's limits
        return Problem(where, None, f"cannot be read as YAML: {error}")
    return None


class Reading:
    """One document being read: a method returns what is asked for, or None and notes why not.

    `path` in the methods is how messages call the node, as `correlation.timespan`.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[Problem] = []

    def wrong(self, node: yaml.Node, message: str) -> None:
        self.problems.append(Problem(self.where, node.start_mark.line + 1, message))

    def check_keys(self, document: yaml.Node) -> None:
        """Notes every key that a mapping anywhere in the document has twice."""
        waiting = [document]
        while waiting:
            node = waiting.pop()
            if isinstance(node, yaml.SequenceNode):
                waiting += node.value
            elif isinstance(node, yaml.MappingNode):
                first: dict[str, int] = {}
                for key, value in node.value:
                    waiting += (key, value)
                    if not isinstance(key, yaml.ScalarNode):
                        continue
                    if key.value in first:
                        again = f"key {quoted(key.value)} is there twice"
                        self.wrong(key, f"{again}, first on line {first[key.value]}")
                    else:
                        first[key.value] = key.start_mark.line + 1

    def mapping(
        self, node: yaml.Node, path: str, known: Collection[str]
    ) -> dict[str, yaml.Node] | None:
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{path} must be a mapping: key: value")
            return None
        keys: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.wrong(key, f"a key of {path} must be a plain word")
            elif key.value not in known:
                self.wrong(key, f"unknown key {quoted(key.value)}{did_you_mean(key.value, known)}")
            else:
                keys.setdefault(key.value, value)
        return keys

    def scalar(self, node: yaml.Node, path: str) -> str | None:
        """The text of a single value of any type, as it was written."""
        if not isinstance(node, yaml.ScalarNode):
            self.wrong(node, f"{path} must be a single value")
        elif node.tag == f"{_TAG}null":
            self.wrong(node, f"{path} is empty")
        else:
            return str(node.value)
        return None

    def text(self, node: yaml.Node, path: str) -> str | None:
        value = self.scalar(node, path)
        if value is None:
            return None
        if node.tag != f"{_TAG}str":
            self.wrong(node, f"{path} must be text: put it in quotes")
        elif not value.strip():
            self.wrong(node, f"{path} is empty")
        else:
            return value
        return None

    def texts(self, node: yaml.Node, path: str) -> list[str] | None:
        """A list of texts; one text stands for a list of one."""
        if isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{path} must be a list")
            return None
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values = [self.text(each, path) for each in nodes]
        return [value for value in values if value is not None]

    def word(self, node: yaml.Node, path: str, known: Sequence[str]) -> str | None:
        """One of the known words."""
        value = self.scalar(node, path)
        if value is None or value in known:
            return value
        hint = did_you_mean(value, known)
        if len(known) == 1:
            self.wrong(node, f"{path} {quoted(value)} is not supported: {known[0]}")
        else:
            listed = ", ".join(known)
            self.wrong(node, f"{path} {quoted(value)} is not one of {listed}{hint}")
        return None

    def only(self, node: yaml.Node, path: str, known: Sequence[str]) -> str | None:
        """One of the known words, alone or as a list of one."""
        if not isinstance(node, yaml.SequenceNode):
            return self.word(node, path, known)
        if len(node.value) != 1:
            self.wrong(node, f"{path} must hold exactly one of: {', '.join(known)}")
            return None
        return self.word(node.value[0], path, known)

    def boolean(self, node: yaml.Node, path: str) -> bool | None:
        if node.tag != f"{_TAG}bool":
            self.wrong(node, f"{path} must be true or false")
            return None
        return str(node.value).lower() in TRUE
