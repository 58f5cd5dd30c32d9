"""How likely it is by chance. No I/O here.

Only products and quotients, no logarithm: the same figure on every machine, so that no two workers
disagree about a campaign.
"""

from __future__ import annotations


def hypergeometric_tail(hits: int, drawn: int, marked: int, of: int) -> float:
    """P(at least `hits` marked ones among `drawn`, drawn without replacement from `of` things of
    which `marked` are marked): 0 … 1, at most twice too large.

    Where no more were met than are to be expected it is 1. The tail is bounded by its first term
    and the ratio of the first two, beyond which terms fall ever faster.
    """
    if hits <= 0 or hits * of <= drawn * marked:
        return 1.0
    if hits > marked or hits > drawn:
        return 0.0
    first, failures = 1.0, drawn - hits
    failed = 0
    for hit in range(hits):
        first *= (drawn - hit) / (hit + 1) * (marked - hit) / (of - hit)
        while first > 1.0 and failed < failures:
            first *= _failure(failed, of, marked, hits)
            failed += 1
    for failure in range(failed, failures):
        first *= _failure(failure, of, marked, hits)
    # P(hits + 1) / P(hits): below 1, for there were more hits than expected.
    falls = (drawn - hits) / (hits + 1) * (marked - hits) / max(of - marked - drawn + hits + 1, 1)
    return min(1.0, first / (1.0 - falls)) if falls < 1.0 else 1.0


def _failure(number: int, of: int, marked: int, hits: int) -> float:
    return max((of - marked - number) / (of - hits - number), 0.0) if of > hits + number else 1.0
