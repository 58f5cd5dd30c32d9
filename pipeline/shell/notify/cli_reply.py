"""`sightline reply` and `sightline request`: what a recipient writes back, and asks of others."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.share import reply as replies
from pipeline.share.directory import OPERATOR
from pipeline.share.reply import EVERYBODY, Answer, Reply, Request, Said, Word
from pipeline.shell.access.grants import Role, check_name, principal_of
from pipeline.shell.notify import records
from pipeline.shell.notify.sources import replies_topic
from pipeline.shell.printable import printable
from pipeline.shell.settings import Settings, WrongUseError, load

request_cli = typer.Typer(
    no_args_is_help=True, help="Ask others who were told of a campaign, and answer them."
)
Config = Annotated[Path | None, typer.Option("--config", help="Settings, a TOML file.")]
Thread = Annotated[
    str, typer.Argument(metavar="CAMPAIGN", help="By its name in the letter, or its id.")
]
As = Annotated[str, typer.Option("--as", help="Who speaks; by default whose login it is.")]
Named = Annotated[bool, typer.Option("--named", help="Say who asks, or answers.")]


def reply(
    campaign: Thread,
    word: Annotated[Word, typer.Argument(help="What became of it.")],
    text: Annotated[str, typer.Option(help="What else there is to say.")] = "",
    as_: As = "",
    config: Config = None,
) -> None:
    """Answer a letter about a campaign."""
    settings = load(config)
    by = _speaker(settings, as_)
    _write(settings, by, Reply(campaign, word, records.now_ms(), text))
    print(printable(f"campaign {campaign}: {word}, says {by}"))


@request_cli.command()
def ask(
    campaign: Thread,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The question.")],
    to: Annotated[
        str, typer.Option(help="A CSIRT, a country, or * for all who were told.")
    ] = EVERYBODY,
    named: Named = False,
    as_: As = "",
    config: Config = None,
) -> None:
    """Ask those who were told of a campaign; who they are is not said, nor how many."""
    settings = load(config)
    by = _speaker(settings, as_)
    said = Request(campaign, to, text, records.now_ms(), named, secrets.token_urlsafe())
    _write(settings, by, said)
    print(printable(f"request {replies.identity(by, said)}: written, by {by}"))


@request_cli.command()
def answer(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="By its id in the letter.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The answer.")],
    named: Named = False,
    as_: As = "",
    config: Config = None,
) -> None:
    """Answer a request; the answer goes to whoever asked."""
    settings = load(config)
    by = _speaker(settings, as_)
    _write(settings, by, Answer(request, text, records.now_ms(), named))
    print(printable(f"request {request}: answered, by {by}"))


def _speaker(settings: Settings, given: str) -> str:
    """Whose topic is written to. The broker lets in whoever may write there, and nobody else."""
    if given:
        check_name("--as", given)
        return given
    principal = principal_of(settings.sasl_username, settings.topic_prefix)
    return principal.name if principal and principal.role is Role.CSIRT else OPERATOR


def _write(settings: Settings, by: str, said: Said) -> None:
    try:
        value = replies.encode(replies.decode(replies.encode(said)))
    except msgspec.ValidationError as error:
        raise WrongUseError(f"this cannot be said: {error}") from None
    records.produce(settings, replies_topic(by), replies.identity(by, said), value)
