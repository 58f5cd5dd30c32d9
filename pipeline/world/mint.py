"""New names of things: each is issued once, so that what is one campaign's own is nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from pipeline.world.dice import Dice

# First numbers of IPv4 addresses under which all is public unicast: none of the special blocks.
_FIRST = [n for n in range(1, 224) if n not in {10, 100, 127, 169, 172, 192, 198, 203}]
_SYLLABLES = (
    *("ba", "be", "bo", "da", "de", "di", "do", "fa", "fe", "fi", "ga", "go", "ka", "ke", "ki"),
    *("la", "le", "li", "lo", "ma", "me", "mi", "mo", "na", "ne", "ni", "no", "pa", "pe", "pi"),
    *("ra", "re", "ri", "ro", "sa", "se", "si", "so", "ta", "te", "ti", "to", "va", "ve", "vi"),
)
_TOOLS = ("bolt", "crawlkit", "fasthttp", "hx", "okclient", "probe", "qget", "webagent")
_PACKAGES = ("async", "color", "config", "date", "event", "json", "log", "path", "retry", "stream")


def credential(user: str, password: str) -> str:
    """As adapters write it: no password travels. Source: the contract, "Event"."""
    return "sha256:" + sha256(f"{user}\0{password}".encode()).hexdigest()


class Mint:
    """Issues values that it has not issued before. They are canonical as they are."""

    def __init__(self) -> None:
        self._issued: set[str] = set()

    def _new(self, draw: Callable[[], str]) -> str:
        while (value := draw()) in self._issued:
            pass
        self._issued.add(value)
        return value

    def reserve(self, value: str) -> None:
        """Nobody is given this one."""
        self._issued.add(value)

    def address(self, dice: Dice) -> str:
        """A public IPv4 address."""

        def draw() -> str:
            rest = dice.below(1 << 24)
            return f"{dice.one(_FIRST)}.{rest >> 16}.{rest >> 8 & 255}.{rest & 255}"

        return self._new(draw)

    def domain(self, dice: Dice) -> str:
        """Under the reserved `.example`: no world names a domain that somebody owns."""
        return self._new(lambda: f"{_word(dice, 2)}-{_word(dice, 2)}.example")

    def digest(self, dice: Dice, digits: int = 64) -> str:
        """Lower-case hexadecimal: a SHA-256, or with 32 digits a JA3 or HASSH."""
        return self._new(lambda: dice.hexadecimal(digits))

    def ja4(self, dice: Dice) -> str:
        return self._new(lambda: f"t13d1516h2_{dice.hexadecimal(12)}_{dice.hexadecimal(12)}")

    def credential(self, dice: Dice) -> str:
        """Of a person's name and a leaked password."""
        return self._new(lambda: credential(_word(dice, 3), _word(dice, 2) + dice.hexadecimal(6)))

    def agent(self, dice: Dice) -> str:
        return self._new(
            lambda: f"{dice.one(_TOOLS)}/{dice.below(9)}.{dice.below(90)}.{dice.below(900)}"
        )

    def purl(self, dice: Dice) -> str:
        version = f"{dice.below(9)}.{dice.below(30)}.{dice.below(90)}"
        return self._new(lambda: f"pkg:npm/{dice.one(_PACKAGES)}-{_word(dice, 2)}@{version}")

    def cve(self, dice: Dice) -> str:
        return self._new(lambda: f"CVE-2024-{dice.between(60_000, 99_999)}")


def _word(dice: Dice, syllables: int) -> str:
    return "".join(dice.one(_SYLLABLES) for _ in range(syllables))
