"""The settings as they are understood: every default filled in, every path absolute, secrets as references only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from cdi_cli.config.settings import Connector, Settings
from cdi_cli.config.types import SecretReference
from cdi_cli.errors import ConfigError
from cdi_cli.secrets import REDACTOR

_MARK = re.compile(r"cdi-secret-(\d+)-mark")


def secrets_of(settings: Settings) -> dict[str, SecretReference]:
    """Every secret that the settings refer to, by its dotted path, in the order of the file."""
    return {path: value for path, value in _walk(settings, "") if isinstance(value, SecretReference)}


def show_json(settings: Settings) -> dict[str, Any]:
    """Effective settings as plain data; a secret is `{"reference": ..., "is_set": ...}`."""
    states = _states(settings)
    shown = _show(settings, lambda secret: {"reference": secret.text, "is_set": states[secret.text] is None}, str)
    assert isinstance(shown, dict)
    return shown


def show_yaml(settings: Settings) -> str:
    """Effective settings as YAML that could be a `cdi.yaml` again; a comment says whether each secret is set."""
    states = _states(settings)
    found: list[SecretReference] = []

    def mark(secret: SecretReference) -> str:
        found.append(secret)
        return f"cdi-secret-{len(found) - 1}-mark"

    shown = _show(settings, mark, lambda text: text.replace("${", "$${"))
    text = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=100)

    def unmark(match: re.Match[str]) -> str:
        secret = found[int(match.group(1))]
        problem = states[secret.text]
        return f"{_scalar(secret.text)}  # {'set' if problem is None else f'NOT SET: {problem}'}"

    return _MARK.sub(unmark, text)


def _states(settings: Settings) -> dict[str, str | None]:
    """What is wrong with each reference, None where a secret is there; from then on the redactor knows all of them."""
    states: dict[str, str | None] = {}
    for secret in secrets_of(settings).values():
        try:
            secret.resolve()
            states[secret.text] = None
        except ConfigError as error:
            states[secret.text] = error.message
    return states


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def _show(value: Any, secret: Callable[[SecretReference], Any], text: Callable[[str], str]) -> Any:
    """A value as plain data, with `secret` and `text` deciding how these two are written."""
    if isinstance(value, SecretReference):
        return secret(value)
    if isinstance(value, Connector):
        fields = _show(value.settings, secret, text)
        return {"type": value.type, **{name: each for name, each in fields.items() if name != "type"}}
    if isinstance(value, BaseModel):
        model = type(value).model_fields.items()
        fields = {field.alias or name: getattr(value, name) for name, field in model if not field.exclude}
        return {name: _show(each, secret, text) for name, each in fields.items() if each is not None}
    if isinstance(value, Mapping):
        return {str(name): _show(each, secret, text) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_show(each, secret, text) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return REDACTOR(text(str(value)))


def _walk(value: Any, path: str) -> list[tuple[str, Any]]:
    """All leaves below a value with their dotted paths."""
    if isinstance(value, Connector):
        return _walk(value.settings, path)
    if isinstance(value, BaseModel):
        items = [(name, getattr(value, name)) for name in type(value).model_fields]
    elif isinstance(value, Mapping):
        items = [(str(name), each) for name, each in value.items()]
    elif isinstance(value, list | tuple):
        return [leaf for number, each in enumerate(value) for leaf in _walk(each, f"{path}[{number}]")]
    else:
        return [(path, value)]
    return [leaf for name, each in items for leaf in _walk(each, f"{path}.{name}" if path else name)]
