"""No spelling of a secret leaves the process."""

from __future__ import annotations

import base64
import json
import pickle
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.secrets import Redactor, Secret

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40)


@given(st.lists(SECRETS, min_size=1, max_size=4), st.text(max_size=30))
def test_no_spelling_of_a_secret_survives(values: list[str], around: str) -> None:
    """Raw, URL-encoded, base64 (alone, and as Basic user or password) and JSON-escaped forms are all masked."""
    redactor = Redactor()
    for value in values:
        redactor.add(Secret(value))
    spellings = [
        spelling
        for value in values
        for spelling in (
            value,
            quote(value, safe=""),
            quote_plus(value),
            json.dumps(value)[1:-1],
            base64.b64encode(value.encode()).decode(),
            base64.b64encode(f"{value}:".encode()).decode(),
        )
    ]

    redacted = redactor(around.join(spellings))

    assert [value for value in values if value in redacted and value not in around] == []


@given(SECRETS)
def test_a_longer_secret_is_masked_before_its_prefix(value: str) -> None:
    """Masking the shorter one first would leave the tail of the longer one."""
    redactor = Redactor()
    redactor.add(Secret(value))
    redactor.add(Secret(value + "TAIL-OF-IT"))

    assert "TAIL-OF-IT" not in redactor(f"key={value}TAIL-OF-IT;")


def test_a_secret_does_not_print() -> None:
    """repr, str, format and equality with text all fail to reveal it; pickling raises."""
    secret = Secret("hunter2-hunter2")

    assert "hunter2" not in f"{secret!r} {secret} {secret:>20} {[secret]}"
    assert secret != "hunter2-hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
