"""What a person is asked of a campaign's victims, and what he or she decides. No I/O here."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from pipeline.share.route import Question, Victim


class Ruling(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person decided of one victim of a campaign: `to` whom it goes, nobody if empty."""

    campaign: str
    country: str
    organisation: str
    to: Annotated[str, Meta(max_length=64)]
    by: Annotated[str, Meta(min_length=1, max_length=256)]
    at: int

    @property
    def victim(self) -> Victim:
        return Victim(self.country, self.organisation)


class Open(Struct, frozen=True):
    """A question that waits for a person."""

    campaign: str
    question: Question

    @property
    def key(self) -> str:
        of = self.question
        return f"{self.campaign}/{of.victim.country}/{of.victim.organisation}/{of.reason}"


encode_ruling = msgspec.json.Encoder().encode
decode_ruling = msgspec.json.Decoder(Ruling).decode
encode_open = msgspec.json.Encoder().encode
decode_open = msgspec.json.Decoder(Open).decode
