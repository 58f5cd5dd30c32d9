"""Thousands of runs of the whole pipeline, each from a seed; and every known hazard is found."""

from __future__ import annotations

import os

import pytest

from tests.simulator import FoundError, Hazard, Simulation

SEEDS = int(os.environ.get("SIMULATOR_SEEDS", "2000"))
TRIES = 4000


@pytest.mark.parametrize("tenth", range(10))
def test_whatever_happens_the_alerts_are_the_oracle_s(tenth: int) -> None:
    for seed in range(tenth, SEEDS, 10):
        Simulation(seed).run()


@pytest.mark.parametrize("hazard", list(Hazard), ids=lambda hazard: hazard.name.lower())
def test_a_known_hazard_is_found(hazard: Hazard) -> None:
    """What goes wrong says its seed, and goes wrong again from it."""
    found = next((seed for seed in range(TRIES) if fails(seed, hazard)), None)
    assert found is not None, f"{TRIES} seeds did not find it: {hazard}"
    with pytest.raises(FoundError, match=f"python -m tests.simulator {found}"):
        Simulation(found, hazard).run()


def fails(seed: int, hazard: Hazard) -> bool:
    try:
        Simulation(seed, hazard).run()
    except FoundError:
        return True
    return False
