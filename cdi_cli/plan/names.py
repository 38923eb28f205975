"""Names: how they are written, and whether the last verb of an event's name is in the past tense.

The tense is told by a rule of thumb: a regular verb ends in `ed`, the irregular ones are listed. A particle after the verb
is passed over (`Signed Up`).
"""

from __future__ import annotations

import re

NAME_CHARACTERS_MAX = 255
"""The longest name of an event or property that every destination takes (mParticle: 255 characters; sheet "mParticle")."""

CASE_PATTERNS = {
    "title": r"[A-Z0-9][^\W_]*( [A-Z0-9][^\W_]*)*",
    "snake": r"[a-z][a-z0-9]*(_[a-z0-9]+)*",
    "camel": r"[a-z][a-zA-Z0-9]*",
}
CASES = {name: re.compile(pattern) for name, pattern in CASE_PATTERNS.items()}
TENSES = ("past",)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_a-zA-Z0-9]+")
_PARTICLES = frozenset(_WORD.findall("again away back down in off on out over through up"))
_IRREGULAR = frozenset(
    _WORD.findall("""
    become been begun bent bid bound bought broken brought built burnt bet cast caught chosen come cost cut dealt done drawn
    driven eaten fallen fed felt fit forgotten forgiven fought found frozen given gone got gotten grown had heard held
    hid hidden hit kept known laid learnt led left lent let lit lost made meant met paid proven put quit read repaid
    rebuilt resent reset resold retold rewritten ridden risen run said seen sent set shaken shown shut slept sold sought
    spent split spoken spread sprung spun stolen stood stuck struck sung sunk sworn swum taken taught told thought thrown
    unbound undone understood upset upheld withdrawn withheld woken won worn written
    """)
)

_NO_VERBS = frozenset(
    _WORD.findall("bed breed deed exceed feed heed indeed need proceed red reed seed shed speed succeed weed")
)
"""Words in `ed` that are no past tense."""


def is_name(text: str) -> bool:
    """Whether a text can be the name of an event or property: printable, not empty, not too long."""
    return 0 < len(text) <= NAME_CHARACTERS_MAX and text.isprintable()


def is_past(name: str) -> bool:
    """Whether the last verb of an event's name is in the past tense: `Order Completed`, `Signed Up`, `email_sent`."""
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and words[-1] in _PARTICLES:
        words.pop()
    if not words:
        return False
    last = words[-1]
    return last in _IRREGULAR or (last.endswith("ed") and last not in _NO_VERBS)
