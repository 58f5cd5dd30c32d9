"""How likely an indicator's spread is by chance. No I/O here.

Null hypothesis: sightings of the indicator go on as they did before, at some rate λ, and fall on C
groups (countries, or organisations) with shares s_c. Then in a stretch of D slices group c sees it
with p_c = 1 - exp(-λ·s_c·D), the number K of groups that do is Poisson-binomial, and the chance of
as many as there were is P(K >= k).

λ is not known: before the stretch, in a base of T slices, n sightings were counted. What that says
of λ is Gamma(n + a, T), whose mean is λ = (n + a)/T, `a` being the prior from the indicator's type
in sightings. P(K >= k) is averaged over it rather than taken at the mean, which would make every
indicator that was never seen before look like a miracle. With a = 1 and k of many groups this is
the exact conditional test of two Poisson counts, P(Binomial(n + k, D/(T + D)) >= k) (Przyborowski
and Wilenski 1940), which holds its level whatever λ is; a larger `a` is more sceptical.

Shares: the same for all groups. For a given λ that makes P(K >= k) the largest (it is Schur-concave
in the shares: Wong and Yue 1973, on the number of distinct cells that are hit), so that the p-value
errs to the safe side whatever the sensors' true volumes are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import exp, expm1, lgamma, log, sqrt
from typing import Final

from msgspec import Struct

from pipeline.registry import Party
from pipeline.rule import Rule
from pipeline.slices import SLICES

STRETCH: Final = 2 * SLICES
"""Slices of an episode, from its first on, in which the groups are counted: how it broke out. What
an attack does after that is how long it lasts, and no surprise any more."""

BASE_WINDOWS: Final = 8
"""Windows before an episode in which sightings are counted."""
BASE_MS: Final = 8 * 86_400_000
"""… but no longer than this, if that is a window at least: what is counted must be remembered."""

SHARED: Final = frozenset(
    ("domain", "ja3", "ja4", "hassh", "credential", "user_agent", "cve", "purl")
)
"""Types whose values belong to many who have nothing to do with each other."""
_PRIOR: Final = {True: 2.0, False: 1.0}
"""Sightings that are taken to have been before the first, by whether the type is shared."""

_NODES: Final = 96
_COUNTED: Final = 16
_CACHED: Final = 4096


class Background(Struct, frozen=True):
    """Of how many countries and organisations the sensors are: what a spread is measured by."""

    countries: int
    organisations: int


def background(parties: Iterable[Party]) -> Background:
    """The background of some parties."""
    known = list(parties)
    return Background(
        len({party.country for party in known}), len({party.organisation for party in known})
    )


def base_slices(timespan_ms: int) -> int:
    """How many slices before an episode count, under a rule of this timespan; at least 60."""
    return min(BASE_WINDOWS * SLICES, max(SLICES, BASE_MS * SLICES // timespan_ms))


def tail(probabilities: Sequence[float], k: int) -> float:
    """P(K >= k) of the number K of independent events that happen: the Poisson-binomial tail.

    Only sums and products of numbers that are not negative: the smallest tail is as exact as the
    largest. O(events · k).
    """
    if k <= 0:
        return 1.0
    if k > len(probabilities):
        return 0.0
    happened = [1.0] + [0.0] * k  # of those so far exactly i; in the last place, k or more
    for probability in probabilities:
        otherwise = 1.0 - probability
        happened[k] += happened[k - 1] * probability
        for i in range(k - 1, 0, -1):
            happened[i] = happened[i] * otherwise + happened[i - 1] * probability
        happened[0] *= otherwise
    return min(happened[k], 1.0)


def mixed_tail(shares: Sequence[float], k: int, shape: float, ratio: float) -> float:
    """P(K >= k) over λ ~ Gamma(shape, rate T), with `ratio` = D/T; shares sum to one.

    By the trapezoidal rule over log λ: the integrand is analytic and falls off at both ends, so
    that it converges geometrically; 96 nodes leave an error far below one in a million.
    """
    if k <= 0:
        return 1.0
    middle = log(shape)
    low = middle - max(20 / shape, 9 / sqrt(shape))
    grown = shape + k
    high = log(grown + 40 + 10 * sqrt(grown)) if grown < 1_000 else log(grown) + 12 / sqrt(grown)
    step = (high - low) / _NODES
    norm = lgamma(shape)
    total = 0.0
    for node in range(_NODES + 1):
        at = low + node * step
        rate = exp(at)
        weight = exp(shape * at - rate - norm)
        if weight > 0:
            total += weight * tail([-expm1(-rate * ratio * share) for share in shares], k)
    return min(total * step, 1.0)


class Surprise(Struct, frozen=True):
    """A p-value, and all that it is made of.

    `before` sightings were counted in the `base` slices before the episode; with the `prior` they
    make the rate. `spread` of `groups` saw it in its first `stretch` slices, each with the same
    share.
    """

    p_value: float
    before: int
    prior: float
    base: int
    spread: int
    groups: int
    stretch: int = STRETCH

    @property
    def expected(self) -> float:
        """Sightings in a stretch, if it had gone on as before."""
        return (self.before + self.prior) * self.stretch / self.base


class Chance:
    """P-values under one rule."""

    __slots__ = ("_prior", "base", "groups")

    def __init__(self, rule: Rule, of: Background) -> None:
        self.groups = of.countries if rule.spread == "country" else of.organisations
        """How many there are."""
        self._prior = _PRIOR[rule.indicator_type in SHARED]
        self.base = base_slices(rule.timespan_ms)
        """Slices before an episode in which sightings are counted."""

    def p_value(self, before: int, spread: int) -> float:
        """The chance that at least `spread` groups see in a stretch what was seen `before` times.

        To three digits: it is not known better, and is written as it is compared.
        """
        return self.surprise(before, spread).p_value

    def surprise(self, before: int, spread: int) -> Surprise:
        """`p_value`, with what it is made of."""
        groups = max(self.groups, spread, 1)  # the registry may have shrunk since
        p_value = _of_equal_shares(groups, spread, _coarse(before) + self._prior, self.base)
        return Surprise(p_value, before, self._prior, self.base, spread, groups)


@lru_cache(_CACHED)  # for all shards of a process
def _of_equal_shares(groups: int, k: int, shape: float, base: int) -> float:
    return float(f"{mixed_tail([1 / groups] * groups, k, shape, STRETCH / base):.3g}")


def _coarse(before: int) -> int:
    """Rounded up to four binary digits beyond 16, so that few p-values are ever worked out."""
    if before <= _COUNTED:
        return before
    low = before.bit_length() - 4
    return -(-before >> low) << low


def lowered(p_value: float | None) -> int:
    """By how many levels an alert's severity goes down; the rule's level is the ceiling."""
    if p_value is None or p_value <= 0.05:
        return 0
    return 1 if p_value <= 0.5 else 2
