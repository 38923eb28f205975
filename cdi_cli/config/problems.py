"""A mistake in a settings file: where it stands, what is wrong, what was written, what to do; and all of them as one error.

What was written is shown to help, never when it may be a credential: not for fields that hold secrets, not for a text that
looks like one wherever it stands.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from cdi_cli.errors import ConfigError
from cdi_cli.secrets import MASK, is_reference

VALUE_CHARACTERS_MAX = 60
_SECRET_NAME = re.compile(
    r"secret|passw|token|credential|api_?key|write_?key|private_?key|access_?key|auth(orization)?$|bearer|^key$", re.I
)
_URL_WITH_USER = re.compile(r"//[^/\s@]*:[^/\s@]*@")
_LONG_WORD = re.compile(r"[A-Za-z0-9+/=_.~-]{16,}")
_NAME_OF_WORDS = re.compile(r"([A-Za-z]+[0-9]{0,3}|[0-9]{1,4})([._-]([A-Za-z]+[0-9]{0,3}|[0-9]{1,4}))*")
"""What people name things: `europe-west1.gcp`, `OrderCompletedAgain`, `my_shop_2024`."""

_BITS_PER_CHARACTER = 3.0


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `line`, `column` count from 1; `path` is dotted; `value_text`: what was written, if it may be shown."""

    file: Path
    line: int
    column: int
    path: str
    message: str
    value_text: str | None = None
    hint: str | None = None


class SettingsError(ConfigError):
    """A settings file with mistakes; `problems` lists all of them in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        safe = [replace(each, message=hide_credentials(each.message), path=hide_credentials(each.path)) for each in problems]
        self.problems = tuple(sorted(safe, key=lambda problem: (problem.line, problem.column, problem.path)))
        first = self.problems[0]
        count = len(self.problems)
        message = first.message if count == 1 else f"{count} mistakes in {first.file.name}, the first: {first.message}"
        super().__init__(message, where=f"{first.file}:{first.line}:{first.column}", hint=first.hint)


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, or None when nothing is near."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(str(word).lower(), names, n=1, cutoff=0.6)
    return names[found[0]] if found else None


def suggestion(word: object, known: Iterable[str]) -> str | None:
    """A hint for a word that is not among the known ones: the nearest, or all of them when none is near."""
    names = list(known)
    if (near := nearest(word, names)) is not None:
        return f"did you mean `{near}`?"
    return f"known: {', '.join(f'`{name}`' for name in names)}" if names else None


def is_secret_name(key: object) -> bool:
    """Whether a key's name says that its value is a secret (`api_token`, `password`), whoever declared it."""
    return isinstance(key, str) and _SECRET_NAME.search(key) is not None


def looks_like_credential(text: str) -> bool:
    """Whether a text may be a credential: user and password in a URL, or one long mixed word as machines make them."""
    if is_reference(text):
        return False
    return bool(_URL_WITH_USER.search(text)) or any(map(_is_machine_word, re.split(r"[\s/?&=:,;]+", text)))


def masked(text: str) -> str:
    """A text as a message may repeat it: itself, or a mask where it looks like a credential."""
    return MASK if looks_like_credential(text) else text


def hide_credentials(text: str) -> str:
    """A sentence with every word that looks like a credential masked: a net below all that builds messages."""
    without_users = _URL_WITH_USER.sub(f"//{MASK}@", text)
    return _LONG_WORD.sub(lambda match: masked(match.group()), without_users)


def _is_machine_word(word: str) -> bool:
    if len(word) < 16 or not word.isascii() or _NAME_OF_WORDS.fullmatch(word):
        return False
    kinds = sum(bool(re.search(pattern, word)) for pattern in ("[a-z]", "[A-Z]", "[0-9]"))
    if kinds < 2:
        return False
    counts = Counter(word)
    entropy = -sum(count / len(word) * math.log2(count / len(word)) for count in counts.values())
    return entropy >= _BITS_PER_CHARACTER


def show_value(value: Any) -> str | None:
    """A scalar as it may be shown beside a message: short, on one line; None for a container or a likely credential."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str) or looks_like_credential(value):
        return None
    line = " ".join(value.split())
    return line if len(line) <= VALUE_CHARACTERS_MAX else line[: VALUE_CHARACTERS_MAX - 3] + "..."
