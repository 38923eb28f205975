"""Secrets: a type that does not print, references that name where a secret lives, and redaction of text.

A settings file never holds a secret, only a reference: `${NAME}` (environment), `file:/run/secrets/x`, or
`keyring:service/name`. `resolve()` turns a reference into a `Secret`. `Redactor` removes known secrets in all their
usual spellings from text that leaves the process (logs, errors).
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, quote_plus

from cdi_cli.errors import ConfigError

MASK = "****"
_ENVIRONMENT = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+|keyring:[^/]+/.+")


class Secret:
    """A secret value; printing, formatting, comparing to text, pickling and JSON all fail to reveal it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; called only where a request is built."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        msg = "a secret cannot be pickled"
        raise TypeError(msg)


def is_reference(text: str) -> bool:
    """Whether `text` names a secret (`${NAME}`, `file:...`, `keyring:service/name`) instead of being one."""
    return _REFERENCE.fullmatch(text) is not None


def resolve(reference: str, environment: Mapping[str, str] = os.environ) -> Secret:
    """The secret that a reference names; raises ConfigError, with what to do, when it cannot be read or is empty."""
    if match := _ENVIRONMENT.fullmatch(reference):
        value = _from_environment(match.group(1), environment)
    elif reference.startswith("file:"):
        value = _from_file(Path(reference.removeprefix("file:")))
    elif reference.startswith("keyring:"):
        value = _from_keyring(*reference.removeprefix("keyring:").split("/", 1))
    else:
        msg = "a secret must be given as a reference, not as its value"
        raise ConfigError(msg, hint="write ${NAME}, file:/path or keyring:service/name")
    return Secret(value)


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "")
    if not value:
        state = "empty" if name in environment else "not set"
        raise ConfigError(f"environment variable {name} is {state}", hint=f"export {name}=...")
    return value


def _from_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"secret file {path} cannot be read: {reason}", hint="check the path and its owner") from None
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"secret file {path} is readable by others", hint=f"chmod 600 {path}")
    if not value:
        raise ConfigError(f"secret file {path} is empty")
    return value


def _from_keyring(service: str, name: str) -> str:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise ConfigError("a keyring: reference needs the keyring extra", hint="pip install 'cdi-cli[keyring]'") from None
    try:
        value = keyring.get_password(service, name)
    except keyring.errors.KeyringError:
        raise ConfigError(
            "this machine has no usable keyring", hint="use ${NAME} or file:/path on a headless machine"
        ) from None
    if not value:
        raise ConfigError(f"keyring holds no entry {service}/{name}", hint=f"keyring set {service} {name}")
    return str(value)


class Redactor:
    """Replaces every known secret in a text, in raw, URL-encoded, base64 and JSON-escaped form, longest first."""

    def __init__(self) -> None:
        self._forms: list[str] = []

    def add(self, secret: Secret) -> None:
        """Learn a secret; values under four characters are ignored, they would mask ordinary text."""
        value = secret.reveal()
        if len(value) < 4:
            return
        forms = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1]}
        forms |= {base64.b64encode(text.encode()).decode() for text in (value, value + ":", ":" + value)}
        self._forms = sorted({*self._forms, *forms}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


REDACTOR = Redactor()
"""Knows every secret this process resolved; the logger and the error printer pass all text through it."""
