"""Extended B-cubed: how well one grouping of items into groups, which may overlap, is another.

Source: E. Amigó, J. Gonzalo, J. Artiles, F. Verdejo, "A comparison of extrinsic clustering
evaluation metrics based on formal constraints", Information Retrieval 12 (2009), section 4.2; with
groups that do not overlap it is B-cubed as Bagga and Baldwin defined it (1998). Items that only one
side knows count against that side, as if the other had put them nowhere.

For an item e of the grouping `told`, its mates are the items that share a group with it, itself
among them. Its precision is the mean over its mates m of

    min(|told(e) ∩ told(m)|, |true(e) ∩ true(m)|) / |told(e) ∩ told(m)|

where told(e) are the groups that e is in. Recall is precision with the sides exchanged: its items
are those of the truth. An item that the truth does not know therefore has precision 0, one that was
not told has recall 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from typing import TypeVar

Groups = frozenset[str]
_NONE: Groups = frozenset()

I = TypeVar("I", bound=Hashable)  # noqa: E741  (an item)


def precisions(told: Mapping[I, Groups], true: Mapping[I, Groups]) -> dict[I, float]:
    """The precision of each item that was told. Every item is in one group at least.

    Items that are in the same groups on both sides are alike, and counted, not compared: the work
    grows with the square of such kinds in one group, not of items.
    """
    kind_of = {item: (groups, true.get(item, _NONE)) for item, groups in told.items()}
    sizes = Counter(kind_of.values())
    members: dict[str, list[tuple[Groups, Groups]]] = defaultdict(list)
    for kind in sizes:
        for group in kind[0]:
            members[group].append(kind)
    precision: dict[tuple[Groups, Groups], float] = {}
    for kind in sizes:
        groups, labels = kind
        mates = dict.fromkeys(mate for group in groups for mate in members[group])
        # By the denominator, so that the sum is one of whole numbers until the last: any order of
        # the mates comes to the same float.
        parts: Counter[int] = Counter()
        for mate in mates:
            shared = len(groups & mate[0])
            parts[shared] += min(shared, len(labels & mate[1])) * sizes[mate]
        total = sum(sizes[mate] for mate in mates)
        whole = sum(part / shared for shared, part in sorted(parts.items()))
        precision[kind] = whole / total
    return {item: precision[kind] for item, kind in kind_of.items()}
