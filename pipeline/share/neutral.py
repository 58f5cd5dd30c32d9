"""What an alert says, in words that take no side, in English and French. No I/O here.

The ladder of attribution has three rungs: technical (what was recorded, by what), actor (whose
tools and habits these are), state (on whose behalf). Software that counts sightings stands on the
first. Further up goes a person, who signs for it, with what such a judgement needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from pipeline.alert import Alert
from pipeline.campaign.campaign import Campaign
from pipeline.share.moment import moment
from pipeline.share.phrasing import countries_as_actors

LANGUAGES: Final = ("en", "fr")
LEAST_SOURCES: Final = 2


class Likelihood(StrEnum):
    """How likely: the estimative words of MISP's taxonomy, after ICD 203."""

    ALMOST_NO_CHANCE = "almost-no-chance"
    VERY_UNLIKELY = "very-unlikely"
    UNLIKELY = "unlikely"
    ROUGHLY_EVEN = "roughly-even-chance"
    LIKELY = "likely"
    VERY_LIKELY = "very-likely"
    ALMOST_CERTAIN = "almost-certain"


class Analytic(StrEnum):
    """How good the ground is on which that is said: another thing than how likely it is."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose word it is, and how good: NATO's Admiralty code, reliability and credibility."""

    organisation: Annotated[str, Meta(min_length=1, max_length=256)]
    admiralty: Annotated[str, Meta(pattern=r"^[A-F][1-6]$")]


class Judgement(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person holds, beyond what was recorded. `dissent`: who sees it otherwise, and why;
    where nobody was found who does, say that and whom one asked.
    """

    by: Annotated[str, Meta(min_length=1, max_length=256)]
    text: Annotated[str, Meta(min_length=1, max_length=20_000)]
    likelihood: Likelihood
    confidence: Analytic
    source: tuple[Source, ...] = ()
    alternative: tuple[str, ...] = ()
    dissent: str = ""


def objections(judgement: Judgement) -> list[str]:
    """What keeps a judgement out of a pack; nothing, if it names no country as an actor."""
    passages = countries_as_actors(judgement.text)
    if not passages:
        return []
    shown = ", ".join(f"“{passage}”" for passage in passages[:3])
    least = f"{shown} says that a country acted:"
    missing = []
    if len({one.organisation for one in judgement.source}) < LEAST_SOURCES:
        missing.append(f"{least} that takes {LEAST_SOURCES} independent sources, graded")
    if not any(text.strip() for text in judgement.alternative):
        missing.append(f"{least} that takes the alternatives that were weighed")
    if not judgement.dissent.strip():
        missing.append(f"{least} that takes a word on dissent")
    return missing


_TEXT: Final = {
    "en": {
        "title": "Statement on {kind} {id}",
        "kind": {"alert": "alert", "campaign": "campaign"},
        "seen": "- Between {first} and {last} (UTC) sensors of {number} organisations in "
        "{countries} recorded the same {type}: {value}",
        "rule": "  Under the rule “{title}” ({rule}). {chance}",
        "watched": "  {source} shared it as an indicator to watch for.",
        "chance": "Probability of such a spread by chance, by the statistical model that is used: "
        "{p}.",
        "no chance": "No probability of chance was computed.",
        "confidence": "Confidence that this is one connected activity: {word} ({number} of 100); "
        "grade of the sources {grade} (Admiralty code). Confidence is no likelihood: it says how "
        "good the ground is.",
        "rung": "Rung of attribution: technical. This says what sensors recorded. It does not say "
        "who acted, nor on whose behalf. Countries named here are places where sensors stand or "
        "where an address is registered, and nothing is said of their governments or their people.",
        "records": "The records are in `events.jsonl`. How to verify them without the software "
        "that made them: `verify.md`.",
        "and": " and ",
    },
    "fr": {
        "title": "Déclaration relative à {kind} {id}",
        "kind": {"alert": "l'alerte", "campaign": "la campagne"},
        "seen": "- Entre le {first} et le {last} (UTC), les capteurs de {number} organisations "
        "situés dans les pays suivants : {countries}, ont enregistré la même valeur de type "
        "{type} : {value}",
        "rule": "  Selon la règle « {title} » ({rule}). {chance}",
        "watched": "  {source} l’avait signalé comme indicateur à surveiller.",
        "chance": "Probabilité d'une telle dispersion due au hasard, selon le modèle statistique "
        "utilisé : {p}.",
        "no chance": "Aucune probabilité due au hasard n'a été calculée.",
        "confidence": "Confiance dans le fait qu'il s'agit d'une seule et même activité : {word} "
        "({number} sur 100) ; cotation des sources {grade} (code de l'Amirauté). La confiance "
        "n'est pas une vraisemblance : elle qualifie la solidité des éléments.",
        "rung": "Niveau d'imputation : technique. Ce document décrit ce que des capteurs ont "
        "enregistré. Il ne dit ni qui a agi, ni pour le compte de qui. Les pays cités sont des "
        "lieux où se trouvent des capteurs ou dans lesquels une adresse est enregistrée ; rien "
        "n'est affirmé au sujet de leurs autorités ou de leur population.",
        "records": "Les enregistrements se trouvent dans `events.jsonl`. Pour les vérifier sans "
        "le logiciel qui les a produits : `verify.md`.",
        "and": " et ",
    },
}
_WORDS_FR: Final = {
    "almost-no-chance": "presque nulle",
    "very-unlikely": "très faible",
    "unlikely": "faible",
    "roughly-even-chance": "moyenne",
    "likely": "bonne",
    "very-likely": "très bonne",
    "almost-certain": "quasi-certitude",
}


def statement(language: str, about: str, alerts: Sequence[Alert], campaign: Campaign | None) -> str:
    """The technical statement on an alert or a campaign, as Markdown."""
    text = _TEXT[language]
    kinds = text["kind"]
    assert isinstance(kinds, dict)
    rows = ["# " + _say(text, "title", kind=kinds["campaign" if campaign else "alert"], id=about)]
    seen = []
    for alert in alerts:
        said, indicator = alert.unmapped, alert.observables[0]
        seen.append(
            _say(
                text, "seen",
                first=moment(alert.finding_info.first_seen_time),
                last=moment(alert.finding_info.last_seen_time),
                number=len(said.organisations),
                countries=_listed(said.countries, str(text["and"])),
                type=indicator.name,
                value=code(indicator.value),
            )
        )  # fmt: skip
        if said.watch is not msgspec.UNSET:
            seen.append(_say(text, "watched", source=plain(said.watch.source)))
            continue
        p = said.p_value
        chance = str(text["no chance"]) if p is None else _say(text, "chance", p=f"{p:.3g}")
        analytic = alert.finding_info.analytic
        seen.append(
            _say(text, "rule", title=plain(analytic.name), rule=analytic.uid, chance=chance)
        )
    rows.append("\n".join(seen))
    if campaign is not None:
        word = campaign.confidence_word
        rows.append(
            _say(
                text, "confidence",
                word=_WORDS_FR.get(word.replace(" ", "-"), word) if language == "fr" else word,
                number=campaign.confidence,
                grade=campaign.admiralty,
            )
        )  # fmt: skip
    rows += [str(text["rung"]), str(text["records"])]
    return "\n\n".join(rows) + "\n"


def _say(text: Mapping[str, object], name: str, **values: object) -> str:
    return str(text[name]).format(**values)


def _listed(names: Iterable[str], last: str) -> str:
    ordered = list(names)
    return last.join([", ".join(ordered[:-1]), ordered[-1]] if len(ordered) > 1 else ordered)


_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|&])")


def plain(text: str) -> str:
    """Text from outside within Markdown: it marks nothing up, and stays on its line."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return _SPECIAL.sub(r"\\\1", shown)


def code(text: str) -> str:
    """Text from outside as code: fenced by more backticks than are in it."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"`{shown}`"


def judgement(said: Judgement) -> str:
    """A person's judgement as Markdown, set apart from what was recorded."""
    rows = [
        "# Judgement of an analyst",
        f"By {plain(said.by)}. This is a person's judgement and not what the software found.",
        f"Likelihood: {said.likelihood}. Analytic confidence: {said.confidence}.",
        "\n".join(f"> {plain(row)}" for row in said.text.splitlines()),
        "\n".join(f"- Source: {plain(one.organisation)}, {one.admiralty}" for one in said.source)
        or "- No sources are named.",
        "\n".join(f"- Alternative: {plain(one)}" for one in said.alternative)
        or "- No alternatives are named.",
        f"Dissent: {plain(said.dissent) or 'none is recorded'}",
    ]
    return "\n\n".join(rows) + "\n"


def read_judgement(document: object) -> Judgement | str:
    """A judgement from a decoded TOML file, or what is wrong with it."""
    try:
        said = msgspec.convert(document, Judgement)
    except msgspec.ValidationError as error:
        return str(error)
    wrong = objections(said)
    return "; ".join(wrong) if wrong else said
