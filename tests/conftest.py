"""The same commit gives the same answer: examples follow from the test itself. `make hunt` seeks new
ones. And what could not be tried is told at the end."""

import shutil

import pytest
from hypothesis import settings

settings.register_profile("sightline", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("sightline")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    wanted = ("promtool", "test_canaries_fly")
    ran = any(
        any(name in report.nodeid for name in wanted)
        for report in terminalreporter.getreports("passed")
    )
    if ran and shutil.which("promtool") is None:
        terminalreporter.write_line(
            "Not tried, for want of promtool (apt-get install prometheus): whether Prometheus reads "
            "/metrics and the alert rules, and whether each rule fires on what it should."
        )
