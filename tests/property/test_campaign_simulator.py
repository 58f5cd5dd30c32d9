"""The campaign stage in hundreds of runs of the whole pipeline; and every known hazard is found."""

from __future__ import annotations

import os

import pytest

from tests.campaign_simulator import CampaignHazard, CampaignSimulation
from tests.simulator import FoundError

SEEDS = int(os.environ.get("SIMULATOR_SEEDS", "2000")) // 13
TRIES = 400


@pytest.mark.parametrize("tenth", range(10))
def test_whatever_happens_the_campaigns_are_those_without_faults(tenth: int) -> None:
    for seed in range(tenth, SEEDS, 10):
        CampaignSimulation(seed).run()


def test_there_are_campaigns_to_be_told_and_they_are_told_over_many_deaths() -> None:
    runs = [CampaignSimulation(seed) for seed in range(20)]
    for each in runs:
        each.run()
    assert sum(len(list(each.standing())) for each in runs) >= 5
    assert sum(each.handed_over for each in runs) >= 40


@pytest.mark.parametrize("hazard", list(CampaignHazard), ids=lambda hazard: hazard.name.lower())
def test_a_known_hazard_is_found(hazard: CampaignHazard) -> None:
    found = next((seed for seed in range(TRIES) if fails(seed, hazard)), None)
    assert found is not None, f"{TRIES} seeds did not find it: {hazard}"
    with pytest.raises(FoundError, match=f"python -m tests.campaign_simulator {found}"):
        CampaignSimulation(found, hazard).run()


def fails(seed: int, hazard: CampaignHazard) -> bool:
    try:
        CampaignSimulation(seed, hazard).run()
    except FoundError:
        return True
    return False
