"""Each setting with its value and its origin, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.shell.cli import cli
from pipeline.shell.cli_config import MASKED, effective, masked
from pipeline.shell.settings import Settings


def test_the_origin_is_the_one_that_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "s.toml"
    file.write_text('broker = "a:1"\nlateness = "2h"\n')
    monkeypatch.setenv("SIGHTLINE_LATENESS", "3h")
    rows = {row.setting: (row.value, row.origin) for row in effective(file)}
    assert [*rows] == [*Settings.__struct_fields__]
    assert rows["broker"] == ("a:1", f"file, {file}")
    assert rows["lateness"] == ("3h", "environment, SIGHTLINE_LATENESS")
    assert rows["metrics_port"] == (9464, "default")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("sasl_password_file", "/run/secrets/p", "/run/secrets/p"),
        ("webhook_secret", "s3", MASKED),
        ("webhook_secret", "", ""),
        ("api_token", "t", MASKED),
        ("url", "https://u:p@h:1/a?key=1", f"https://{MASKED}@h:1/a?{MASKED}"),
        ("url", "https://h/a", "https://h/a"),
        (
            "hooks",
            [{"url": "https://u@h/", "secret": "x"}],
            [{"url": f"https://{MASKED}@h/", "secret": MASKED}],
        ),
        ("broker", "h:9092", "h:9092"),
    ],
)
def test_no_secret_is_shown(name: str, value: object, shown: object) -> None:
    assert masked(name, value) == shown


def test_the_command(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('topic_prefix = "x."\n')
    told = CliRunner().invoke(cli, ["config", "show", "--config", str(file)])
    assert told.exit_code == 0
    (row,) = [line for line in told.stdout.splitlines() if line.startswith("topic_prefix")]
    assert row.split()[:3] == ["topic_prefix", "x.", "file,"]
    as_json = CliRunner().invoke(cli, ["config", "show", "--json", "--config", str(file)])
    assert '"setting": "topic_prefix"' in as_json.stdout
