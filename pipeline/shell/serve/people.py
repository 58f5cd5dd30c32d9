"""Who may log in: a TOML file of users, with passwords hashed by scrypt, and sessions.

A session is a signed cookie, not a table: it outlives a restart, and ends when it is too old, when
its user is gone from the file or has another password.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
import tomllib
from base64 import b64decode, b64encode
from collections import OrderedDict
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline.event import Name
from pipeline.share.terms import PUBLIC, grantee_problem
from pipeline.shell.files import read_text
from pipeline.shell.settings import WrongUseError

SESSION_S = 12 * 3600
_N, _R, _P = 2**15, 8, 1  # some 0.1 s and 32 MiB a password (OWASP's third choice)
_MEMORY = 64 << 20
_REMEMBERED = 256


EVERYTHING = "*"
"""What those see who are of the place where this runs."""


class Role(StrEnum):
    READER = "reader"
    """Sees the dashboard, changes nothing."""
    ANALYST = "analyst"
    """May label as well, if he or she sees everything."""
    PARTNER = "partner"
    """Reads by TAXII, and sees nothing else."""


class User(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the file; `organisation` is whom he or she speaks for.

    `sees`: `*`, or as whom, by a name that a grant could be made out to: an organisation, a
    country, a CSIRT, `alliance:` and an alliance, `community`, `public`. Where it is not said, as
    the organisation; without one everything, but a partner then as the public.
    """

    name: Name
    role: Role
    password: str
    organisation: str = ""
    sees: str = ""

    @property
    def seen_as(self) -> str:
        return self.sees or self.organisation or (PUBLIC if self._is_partner else EVERYTHING)

    @property
    def _is_partner(self) -> bool:
        return self.role is Role.PARTNER

    @property
    def problem(self) -> str | None:
        """What is wrong with as whom he or she sees; None if nothing is."""
        if self.seen_as == EVERYTHING:
            return "a partner never sees everything" if self._is_partner else None
        why = grantee_problem(self.seen_as)
        return f"sees {self.seen_as!r}, which {why}" if why else None


class Person(Struct, frozen=True):
    """Who is asking, as endpoints see it in `request.scope["user"]`; `sees` as in `User`."""

    name: str
    role: Role
    sees: str = EVERYTHING

    @property
    def is_of_the_house(self) -> bool:
        return self.sees == EVERYTHING

    @property
    def may_label(self) -> bool:
        """A label counts for all, and is of what all is: who sees a part cannot judge it."""
        return self.role is Role.ANALYST and self.is_of_the_house


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    user: tuple[User, ...] = ()


def hashed(password: str) -> str:
    """A password as the file holds it."""
    salt = secrets.token_bytes(16)
    digest = _scrypt(password, salt, _N, _R, _P)
    return f"scrypt:{_N}:{_R}:{_P}:{b64encode(salt).decode()}:{b64encode(digest).decode()}"


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def matches(password: str, stored: str) -> bool:
    """Whether it is the password; ValueError if what is stored is no hash of ours."""
    name, n, r, p, salt, digest = stored.split(":")
    if name != "scrypt":
        raise ValueError("not scrypt")
    made = _scrypt(password, b64decode(salt, validate=True), int(n), int(r), int(p))
    return hmac.compare_digest(made, b64decode(digest, validate=True))


def user_table(name: str, role: Role, password: str, organisation: str, sees: str = "") -> str:
    """One user as text for the file; a `WrongUseError` for one that could not be read back."""
    lines = [f'name = "{name}"', f'role = "{role}"', f'password = "{password}"']
    if organisation:
        lines.append(f'organisation = "{organisation}"')
    if sees:
        lines.append(f'sees = "{sees}"')
    text = "\n".join(["", "[[user]]", *lines, ""])
    try:
        (read,) = msgspec.convert(tomllib.loads(text), _File).user
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        raise WrongUseError(f"{name!r}, {organisation!r}: these cannot be written down") from None
    if (read.name, read.organisation, read.sees) != (name, organisation, sees):
        raise WrongUseError(f"{name!r}, {organisation!r}: these cannot be written down")
    if read.problem:
        raise WrongUseError(f"{name!r}: {read.problem}")
    return text


class Users:
    """Those of a file, and the key that sessions are signed with."""

    def __init__(self, users: tuple[User, ...], key: bytes) -> None:
        self._users = {user.name: user for user in users}
        self._key = key
        self._nobody = hashed(secrets.token_urlsafe())
        self.shown_a_part = sorted(
            {user.seen_as for user in users if user.role is not Role.PARTNER} - {EVERYTHING}
        )
        """As whom those see the dashboard who do not see everything."""
        self._verified: OrderedDict[bytes, None] = OrderedDict()

    def by_password(self, name: str, password: str) -> Person | None:
        """Slow on purpose, and as slow for a name that there is not."""
        user = self._users.get(name)
        stored = user.password if user else self._nobody
        # Clients that send a password with every request are not made to wait for each.
        seen = hmac.digest(self._key, f"{name}\0{password}\0{stored}".encode(), "sha256")
        if seen not in self._verified:
            if not matches(password, stored) or user is None:
                return None
            self._verified[seen] = None
            while len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        return _person(user) if user else None

    def session(self, person: Person) -> str:
        """A cookie's value."""
        until = int(time.time()) + SESSION_S
        name = b64encode(person.name.encode(), b"-_").decode()
        return f"{name}.{until}.{self._signed(self._users[person.name], until)}"

    def by_session(self, cookie: str) -> Person | None:
        name, _, rest = cookie.partition(".")
        until, _, signature = rest.partition(".")
        try:
            user = self._users.get(b64decode(name, b"-_", validate=True).decode())
        except ValueError:
            return None
        if user is None or not until.isdecimal() or len(until) > 12 or int(until) < time.time():
            return None
        good = hmac.compare_digest(self._signed(user, int(until)).encode(), signature.encode())
        return _person(user) if good else None

    def _signed(self, user: User, until: int) -> str:
        said = msgspec.json.encode((user.name, user.password, user.role, user.seen_as, until))
        return hmac.new(self._key, said, "sha256").hexdigest()


def _person(user: User) -> Person:
    return Person(user.name, user.role, user.seen_as)


def read_users(path: Path, key: Path) -> Users:
    """The users of a file; a `WrongUseError` says what is wrong. `key` is made if missing."""
    try:
        found = msgspec.convert(tomllib.loads(read_text(path)), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise WrongUseError(f"{path}: {error}") from None
    names = [user.name for user in found.user]
    for user in found.user:
        try:
            matches("", user.password)
        except ValueError:
            raise WrongUseError(
                f"{path}: the password of {user.name!r} is no hash: `sightline user` makes one"
            ) from None
        if user.problem:
            raise WrongUseError(f"{path}: {user.name!r}: {user.problem}")
        if names.count(user.name) > 1:
            raise WrongUseError(f"{path}: there are two users {user.name!r}")
    if not found.user:
        raise WrongUseError(f"{path}: no users; `sightline user` adds one")
    return Users(found.user, _key(key))


def _key(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) == 32:
            return key
        raise WrongUseError(f"{path}: not a session key; remove it, and it is made anew") from None
    with os.fdopen(descriptor, "wb") as file:
        key = secrets.token_bytes(32)
        file.write(key)
    return key
