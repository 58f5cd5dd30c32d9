"""Whether a text says that a country did something. No I/O here.

Where a packet came from is no statement about who sent it, and less about a state. What Sightline
writes names countries as places only; what an analyst writes is held against these patterns, which
rather find one too many: then a person says it otherwise, or gives what a judgement needs.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from pipeline.share.country_names import NAMES


def _forms() -> str:
    found = {form for row in NAMES.values() for form in row.split("|")}
    longest = sorted(found, key=lambda form: (-len(form), form))
    return "|".join(re.escape(one).replace("\\~", "(?:e|s|es|ne|nes|te|tes)?") for one in longest)


_COUNTRY: Final = rf"\b(?:{_forms()})\b"
_GAP: Final = r"(?:\s+[\w'’-]+){0,3}?\s+"
_DID: Final = (
    r"(?:attack(?:s|ed|ing)?|target(?:s|ed|ing)|hack(?:s|ed|ing)|compromised|infiltrated|stole|spied"
    r"|spies|breached|launche[sd]|conduct(?:s|ed)|carried\s+out|carries\s+out|order(?:s|ed)"
    r"|sponsor(?:s|ed)|direct(?:s|ed)|perpetrated|(?:is|was|are|were|stands?)\s+behind"
    r"|(?:is|was|are|were)\s+responsible|did\s+(?:it|this)|a\s+attaqué|ont\s+attaqué|attaque(?:nt)?"
    r"|a\s+piraté|ont\s+piraté|a\s+ciblé|ont\s+ciblé|a\s+mené|ont\s+mené|a\s+commandité"
    r"|ont\s+commandité|a\s+ordonné|ont\s+ordonné|est\s+derrière|sont\s+derrière"
    r"|est\s+responsable|sont\s+responsables)"
)
_BODY: Final = (
    r"(?:government|state|military|army|intelligence|secret\s+service|services?|regime|authorities"
    r"|hackers?|actors?|attackers?|operatives|spies|agents?|groups?|attacks?|cyber-?attacks?"
    r"|campaigns?|operations?|malware|aggression)"
)
_CORPS: Final = (
    r"(?:gouvernement|État|régime|armée|services?(?:\s+secrets)?|renseignements?|autorités|pirates"
    r"|hackers|acteurs?|attaquants?|agents?|groupes?|attaques?|cyberattaques?|opérations?"
    r"|campagnes?|attackers?|government|military|attacks?|campaigns?|operations?)"
)
_BY: Final = r"(?:by|par|attributed\s+to|attribuée?s?\s+(?:à|au|aux)|blamed\s+on|work\s+of)"
_THE: Final = r"(?:\s+(?:the|a|an|la|le|les|des|du|un|une))?\s+(?:l['’])?"
_OF: Final = r"(?:\s+(?:from|of|in\s+the\s+pay\s+of|de\s+la|du|des|de|d['’]))?"


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Compiled when a text is first looked at: that takes longer than most commands do."""
    return tuple(
        re.compile(pattern)
        for pattern in (
            rf"{_COUNTRY}{_GAP}(?i:{_DID})\b",
            rf"(?i:\b{_BY}){_THE}{_COUNTRY}",
            rf"{_COUNTRY}(?:['’]s)?\s+(?:[\w-]+\s+)?(?i:{_BODY})\b",
            rf"(?i:\b{_CORPS}){_OF}\s*(?:l['’])?{_COUNTRY}",
            rf"{_COUNTRY}-(?i:backed|sponsored|linked|aligned|nexus|directed|affiliated|based)\b",
            r"(?i:\b(?:nation-?|state)[\s-](?:state\b|sponsored|backed|directed|actor|hackers?))",
            r"(?i:\bnation-state\b|\bacteurs?\s+étatiques?\b|\b(?:soutenu|parrainé|commandité|financé)"
            r"e?s?\s+par\s+(?:un|l['’])\s*(?:É|é)tat)",
        )
    )


def countries_as_actors(text: str) -> tuple[str, ...]:
    """The passages in which a country, its people or a state acts; none in a neutral text."""
    plain = " ".join(text.split())
    found = {match[0] for pattern in _patterns() for match in pattern.finditer(plain)}
    return tuple(sorted(found))
