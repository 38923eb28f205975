"""Field types that connectors use to declare their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from cdi_cli.secrets import MASK, REDACTOR, Secret, is_reference, resolve


class ConnectorSettings(BaseModel):
    """The base of every connector's settings: unknown keys are errors, values never change after reading.

    A subclass documents each field with `Field(description=...)`: the text shows in the JSON Schema that editors use.
    `shaping` names the fields that decide which records are read and what they say: a backfill never mixes two values.
    `consent_example` is where the records of a source usually keep a person's consent: `cdi init` shows it.
    """

    shaping: ClassVar[frozenset[str]] = frozenset()
    consent_example: ClassVar[str] = "custom.fields.marketingConsent"

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def needed(cls, answers: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG003 - for those who override it
        """The optional fields that a new project needs all the same, in view of what is set already."""
        return ()


class SecretReference:
    """A settings field that names a secret (`${NAME}`, `file:/path`, `keyring:service/name`) and refuses to hold one."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def resolve(self) -> Secret:
        """The secret itself; from then on the redactor knows it. Raises ConfigError when it cannot be read."""
        secret = resolve(self.text)
        REDACTOR.add(secret)
        return secret

    def __repr__(self) -> str:
        return MASK

    @classmethod
    def _validate(cls, value: Any) -> SecretReference:
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and is_reference(value):
            return cls(value)
        kind = "secret_literal"
        raise PydanticCustomError(kind, "a secret must be a reference: ${NAME}, file:/path or keyring:service/name")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls._validate, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": r"^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|file:.+|keyring:[^/]+/.+)$",
            "description": "a reference to a secret, never the secret itself",
        }
