"""What recipients write back, each on a topic of its own: replies, requests, answers. No I/O here.

The topic says who speaks, as it does for events; nothing in the record does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta, Struct

from pipeline.problem import has_control

_NAMESPACE: Final = UUID("0d3c7b50-4c0b-5b53-9f0e-7f6f1b5a9c2e")
MOST_TEXT: Final = 2_000
LEAST_SALT: Final = 22
"""128 bits, in base64."""
EVERYBODY: Final = "*"

Text = Annotated[str, Meta(max_length=MOST_TEXT)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9*-]+$")]


class Word(StrEnum):
    """What a recipient says of a campaign that it was told of."""

    RECEIVED = "received"
    HANDLED = "handled"
    NOT_OURS = "not-ours"
    NEED_MORE = "need-more"


class Reply(Struct, frozen=True, tag="reply", tag_field="kind", forbid_unknown_fields=True):
    """Of a thread (see `pipeline.share.letter`); `at`: ms."""

    thread: Name
    word: Word
    at: int
    text: Text = ""


class Request(Struct, frozen=True, tag="request", tag_field="kind", forbid_unknown_fields=True):
    """A question to others who were told of a thread: a CSIRT by its id, all of a country by its
    code, or `*`, all. Who asks stays unnamed unless it wants to be `named`: then `salt`, which is
    random, keeps others from trying out of whom the request's id is made.
    """

    thread: Name
    to: Name
    text: Annotated[str, Meta(min_length=1, max_length=MOST_TEXT)]
    at: int
    named: bool = False
    salt: Annotated[str, Meta(max_length=64)] = ""


class Answer(Struct, frozen=True, tag="answer", tag_field="kind", forbid_unknown_fields=True):
    """To a request, by its id."""

    request: Name
    text: Annotated[str, Meta(min_length=1, max_length=MOST_TEXT)]
    at: int
    named: bool = False


Said = Reply | Request | Answer

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Said).decode


def decode(value: bytes) -> Said:
    """A record; a `msgspec.DecodeError` if it is none, its text has control characters, or whoever
    asks could be tried out.
    """
    said: Said = _decode(value)
    if isinstance(said, Request) and not said.named and len(said.salt) < LEAST_SALT:
        raise msgspec.ValidationError(f"unnamed, it needs a salt of {LEAST_SALT} characters")
    if has_control(said.text.replace("\n", " ")):
        raise msgspec.ValidationError("its text holds control characters")
    return said


def identity(by: str, said: Said) -> str:
    """The same for the same thing said by the same, whenever it comes."""
    return str(uuid5(_NAMESPACE, f"{by}\0{encode(said).decode()}"))
