"""Statements name countries as places, and a text that lets one act is found."""

from __future__ import annotations

import pytest

from pipeline.share import neutral
from pipeline.share.neutral import Analytic, Judgement, Likelihood, Source, objections
from pipeline.share.phrasing import countries_as_actors

ACTORS = [
    "China attacked the bank.",
    "Moscow is behind this campaign.",
    "The attack was ordered by Iran.",
    "This was done by the Russian government.",
    "Chinese hackers broke in.",
    "a North Korean group",
    "Russia-linked operators",
    "state-sponsored actors",
    "a nation-state campaign",
    "The United States conducted the operation.",
    "attributed to the Israeli services",
    "La Russie a attaqué la banque.",
    "une cyberattaque russe",
    "des pirates chinois",
    "attribuée à l'Iran",
    "un groupe soutenu par l'État",
    "Le Kremlin est derrière cette campagne.",
    "des hackers de la Corée du Nord",
    "menée par la Chine",
    "an attack from China",
]
PLACES = [
    "Sensors in France and Kenya recorded the same address.",
    "The address is registered in Russia.",
    "Seen by 3 organisations in BR, KE and US.",
    "Organisations in China were hit, too.",
    "des capteurs situés en France et au Kenya",
    "l'adresse est enregistrée en Russie",
    "The attackers used one tool; whose it is, is not known.",
    "The state of the investigation is unchanged.",
]


@pytest.mark.parametrize("text", ACTORS)
def test_a_country_that_acts_is_found(text: str) -> None:
    assert countries_as_actors(text)


@pytest.mark.parametrize("text", PLACES)
def test_a_country_that_is_a_place_is_not(text: str) -> None:
    assert countries_as_actors(text) == ()


def judgement(**other: object) -> Judgement:
    whole = {
        "by": "anna",
        "text": "Chinese hackers broke in.",
        "likelihood": Likelihood.LIKELY,
        "confidence": Analytic.LOW,
        "source": (Source("cz-nren", "B2"), Source("ke-bank", "C3")),
        "alternative": ("A criminal group that uses the same tools.",),
        "dissent": "The second reader holds the alternative for as likely.",
    } | other
    return Judgement(**whole)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"source": (Source("cz-nren", "B2"), Source("cz-nren", "A1"))}, "2 independent sources"),
        ({"source": ()}, "2 independent sources"),
        ({"alternative": (" ",)}, "alternatives"),
        ({"dissent": ""}, "dissent"),
    ],
)
def test_what_a_judgement_of_a_state_needs(missing: dict[str, object], said: str) -> None:
    assert objections(judgement()) == []
    assert objections(judgement(text="One operator, by the tools.", **missing)) == []
    (objection,) = objections(judgement(**missing))
    assert said in objection


def test_text_from_outside_marks_nothing_up() -> None:
    text = neutral.judgement(judgement(text="# Not a heading <script>\n`x`", by="[a](b)\x1b[31m"))
    assert "> \\# Not a heading \\<script\\>" in text
    assert "\x1b" not in text
    assert neutral.code("a`b") == "`` a`b ``"


def test_a_grade_is_one_of_the_admiralty_code() -> None:
    document = {"by": "a", "text": "x", "likelihood": "likely", "confidence": "low",
                "source": [{"organisation": "x", "admiralty": "G9"}]}  # fmt: skip
    assert isinstance(neutral.read_judgement(document), str)
