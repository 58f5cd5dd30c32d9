"""Principals on a broker: credentials (SCRAM-SHA-512) and rules (ACLs), as its admin sees them.

Kafka looks at its rules with every request, but at a credential only when somebody logs in: what
cuts an open connection off is the rule. So whoever is expelled gets a rule that denies every topic,
which beats any that allows, and stays as the mark of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from pipeline.shell.access.grants import Grant, State
from pipeline.shell.processes import until
from pipeline.shell.security import for_librdkafka
from pipeline.shell.settings import FailedError, Settings

ITERATIONS = 4096  # Kafka's own; passwords here are random, a guess is no cheaper for it
_WITHIN = 15.0  # s
_MECHANISM = ScramMechanism.SCRAM_SHA_512
_KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}


class Principals:
    """The principals of one broker; every method raises a `FailedError` of one line."""

    def __init__(self, settings: Settings) -> None:
        heard: list[KafkaError] = []
        self._broker, self._user = settings.broker, settings.sasl_username
        self._admin = AdminClient(for_librdkafka(settings) | {"error_cb": heard.append})
        try:
            self._admin.list_topics(timeout=_WITHIN)
        except KafkaException as error:
            self._admin.poll(0)
            why = next((e for e in heard if e.code() == KafkaError._AUTHENTICATION), error.args[0])  # noqa: SLF001
            raise FailedError(f"no Kafka answers at {self._broker}: {_line(why)}") from None
        # Deletes nothing, and tells whether we may. The questions would not: librdkafka 2.16 gives
        # describe_acls's refusal as an empty answer, and describe_user_scram_credentials's aborts
        # the process.
        self._wait(self._admin.delete_acls([_exactly(_denial("nobody/at-all"))]))

    def states(self) -> dict[str, State]:
        """Everybody who has a credential or a rule, by user."""
        rules, logins = self._rules(None), self._credentials()
        users = {rule.principal.removeprefix("User:") for rule in rules} | logins
        return {user: _state(user, user in logins, rules) for user in users}

    def admit(self, user: str, password: str, grants: Iterable[Grant]) -> None:
        """Give a user exactly these rights, and then this password."""
        self.allow(user, grants)
        login = ScramCredentialInfo(_MECHANISM, ITERATIONS)
        upsertion = UserScramCredentialUpsertion(user, login, password.encode())
        self._wait(self._admin.alter_user_scram_credentials([upsertion]))

    def allow(self, user: str, grants: Iterable[Grant]) -> None:
        """Give a user exactly these rights; the password stays."""
        wanted = {_binding(user, grant) for grant in grants}
        there = set(self._rules(user))
        if there - wanted:
            self._wait(self._admin.delete_acls([_exactly(rule) for rule in there - wanted]))
        if wanted - there:
            self._wait(self._admin.create_acls(list(wanted - there)))
        until(lambda: set(self._rules(user)) == wanted, "the broker has the rules", _WITHIN)

    def expel(self, user: str) -> None:
        """Cut a user off, whether connected or not: done when the broker refuses it."""
        denial = _denial(user)
        self._wait(self._admin.create_acls([denial]))
        granted = [_exactly(rule) for rule in self._rules(user) if rule != denial]
        if granted:
            self._wait(self._admin.delete_acls(granted))
        if user in self._credentials():
            deletion = UserScramCredentialDeletion(user, _MECHANISM)
            self._wait(self._admin.alter_user_scram_credentials([deletion]))
        until(lambda: self._rules(user) == [denial], "the broker has the rules", _WITHIN)

    def _credentials(self) -> set[str]:
        return set(self._wait(self._admin.describe_user_scram_credentials()))

    def _rules(self, user: str | None) -> list[AclBinding]:
        asked = AclBindingFilter(
            ResourceType.ANY,
            None,
            ResourcePatternType.ANY,
            None if user is None else f"User:{user}",
            None,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        found: list[AclBinding] = self._wait(self._admin.describe_acls(asked))
        return found

    def _wait(self, asked: Future[Any] | Mapping[Any, Future[Any]]) -> Any:
        try:
            if isinstance(asked, Mapping):
                return {key: future.result(_WITHIN) for key, future in asked.items()}
            return asked.result(_WITHIN)
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.SECURITY_DISABLED:
                raise FailedError(
                    f"{self._broker} has no access control: nothing would keep a sensor to its own "
                    "topic; use a broker with an authorizer (`sightline broker --secure`)"
                ) from None
            if code == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
                who = self._user or "who does not log in"
                raise FailedError(
                    f"{self._broker} does not let {who} change rights: use its admin's --config"
                ) from None
            raise FailedError(f"{self._broker}: {_line(error.args[0])}") from None
        except TimeoutError:
            raise FailedError(f"{self._broker} did not answer for {_WITHIN:.0f} s") from None


def _state(user: str, credential: bool, rules: Iterable[AclBinding]) -> State:
    allowed: set[Grant] = set()
    strange = 0
    denied = False
    denial = _denial(user)
    for rule in rules:
        if rule.principal != f"User:{user}":
            continue
        if rule == denial:
            denied = True
        elif (grant := _grant(rule)) is not None and rule == _binding(user, grant):
            allowed.add(grant)
        else:
            strange += 1
    return State(credential, frozenset(allowed), strange, denied)


def _binding(user: str, grant: Grant) -> AclBinding:
    return AclBinding(
        _KINDS[grant.kind],
        grant.name,
        ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[grant.operation],
        AclPermissionType.ALLOW,
    )


def _grant(rule: AclBinding) -> Grant | None:
    kind = next((kind for kind, restype in _KINDS.items() if restype == rule.restype), None)
    if kind is None:
        return None
    prefixed = rule.resource_pattern_type == ResourcePatternType.PREFIXED
    return Grant(kind, rule.name, rule.operation.name, prefixed)  # type: ignore[arg-type]


def _denial(user: str) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        "*",
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation.ALL,
        AclPermissionType.DENY,
    )


def _exactly(rule: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        rule.restype,
        rule.name,
        rule.resource_pattern_type,
        rule.principal,
        rule.host,
        rule.operation,
        rule.permission_type,
    )


def _line(error: KafkaError) -> str:
    return " ".join(error.str().split())
