"""Recording scrubs everything that is anybody's, and refuses to keep what the scan finds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import recording.__main__ as recorder
import yaml
from contract_bench import forms_of
from recording import Account, Recording, recording_of
from recording.__main__ import RecordingError, record
from recording.cassette import CASSETTES, Answers
from recording.scan import leaks
from recording.scrub import Scrubber

from cdi_cli import destinations, sources
from cdi_cli.sandbox import SandboxOptions, SandboxThread

NAMES = [*sources.names(), *destinations.names()]
SECRET = "planted s3cret/value"
PLANTED = {
    "credentials in a header": ["      - Bearer abcdef", "      authorization: Basic Y2xpZW50OnNlY3JldA=="],
    "cookie": ["      set-cookie:", "      Cookie: a=b"],
    "credential in JSON": [
        '"access_token": "abc"',
        '"password":"****aGg="',
        '"writeKey": "k"',
        '"client_secret" : 12',
        '"token": ["x"]',
    ],
    "credential in a form or query": ["body: token=abc&x=1", "uri: https://api.example.com/p?access_token=abc"],
    "well-known kind of key": ["AKIAABCDEFGHIJKLMNOP", "-----BEGIN PRIVATE KEY-----", "sk_live_0123", "eyJhbGci.eyJzdWIiOi"],
    "e-mail address": ['"note": "to jane.doe@shop.de"', "where=email%20%3D%20%22jane%40shop.de%22", "a@example.org.evil.io"],
    "phone number": ['"x": "+49 170 1234567"', "tel:0049-170-1234567", '"anything": "0170 1234567"'],
    "personal field": ['"firstName": "Zoë"', '"city":"Köln"', '"first_name": "text-1 Smith"', '"postalCode": 50667'],
    "address of a real host": [
        "uri: https://api.europe-west1.gcp.commercetools.com/p",
        '"url": "http://shop.test/x"',
        "u=https%3A%2F%2Fshop.test",
    ],
    "IP address": ["uri: https://10.1.2.3/p", "http://localhost:8080/"],
    "compressed or binary body": ["      string: !!binary |"],
    "random text as tokens are": ['"scope": "kX9v2LqPz7RtB4mWcY8nD3sF"', "xY7-k2P9qLm4Zt8Vb3Nc6Ws1"],
    "known secret": [
        SECRET,
        "planted%20s3cret%2Fvalue",
        "cGxhbnRlZCBzM2NyZXQvdmFsdWU=",
        "Y2xpZW50OnBsYW50ZWQgczNjcmV0L3ZhbHVl",
    ],
}


@pytest.mark.parametrize(("rule", "line"), [(rule, line) for rule, lines in PLANTED.items() for line in lines])
def test_a_planted_violation_is_found(rule: str, line: str) -> None:
    """One line added to a real cassette is reported by the rule that is there for it, with its place and not its value."""
    clean = (CASSETTES / "commercetools" / "customers.yaml").read_text(encoding="utf-8")
    lines = clean.splitlines()
    middle = len(lines) // 2
    dirty = "\n".join([*lines[:middle], line, *lines[middle:]])

    assert leaks(clean, [SECRET]) == []
    found = leaks(dirty, [SECRET])
    assert f"{rule} (line {middle + 1})" in found
    assert all(leak.endswith(f"(line {middle + 1})") for leak in found)


def test_records_as_they_are_served_would_be_found() -> None:
    """The sandbox's records, unscrubbed, break the rules for personal data and credentials."""
    with SandboxThread(SandboxOptions(orders=60)) as sandbox:
        served = [record for kind in ("customers", "orders", "payments") for record in sandbox.shop.documents(kind)]

    found = leaks(yaml.safe_dump({"body": json.dumps(served, indent=1)}, default_style="|", allow_unicode=True))

    rules = {leak.partition(" (")[0] for leak in found}
    assert rules >= {"personal field", "credential in JSON", "address of a real host", "phone number"}


def test_the_scrubber_keeps_only_what_is_known_to_be_harmless() -> None:
    """Texts of unknown fields, numbers of custom fields, credentials and personal data all go; joins and enums stay."""
    served = {
        "id": "8d1cda1c-2c11-4f29-9e26-0b7a5f6c9a11",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "totalPrice": {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1999, "fractionDigits": 2},
        "orderState": "Open",
        "brandNewField": "Jane Doe",
        "again": ["Jane Doe", "jane@shop.de", "https://shop.de/x", None, True],
        "custom": {"fields": {"iban": "DE12", "phone": 491701234567, "consent": True, "origin": "Berlin"}},
        "country": "c/o Jane Doe",
        "password": "****aGg=",
        "paymentMethodInfo": {"token": {"value": "tok_1"}, "method": "CARD"},
        "link": {"id": "8d1cda1c-2c11-4f29-9e26-0b7a5f6c9a11"},
    }

    assert Scrubber().value(served) == {
        "id": "00000001-cd1c-4000-8000-000000000000",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "totalPrice": {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1999, "fractionDigits": 2},
        "orderState": "Open",
        "brandNewField": "text-1",
        "again": ["text-1", "person-1@example.com", "https://example.com/1", None, True],
        "custom": {"fields": {"iban": "text-2", "phone": 1, "consent": True, "origin": "text-3"}},
        "country": "text-4",
        "password": "****",
        "paymentMethodInfo": {"token": "****", "method": "CARD"},
        "link": {"id": "00000001-cd1c-4000-8000-000000000000"},
    }


@contextmanager
def posing_as_real() -> Iterator[tuple[SandboxThread, dict[str, str]]]:
    """A sandbox with the credentials of a customer of ours, as the variables of a maintainer's shell would hold them."""
    options = SandboxOptions(
        orders=150,
        project_key="acme-europe-prod",
        client_id="Kq7-acme-client-id-1234",
        client_secret="acme Pr0d/secret+value",
        write_key="acme-Pr0d-wr1te-key",
    )
    with SandboxThread(options) as sandbox:
        yield (
            sandbox,
            {
                "CTP_PROJECT_KEY": options.project_key,
                "CTP_CLIENT_ID": options.client_id,
                "CTP_CLIENT_SECRET": options.client_secret,
                "CTP_API_URL": f"{sandbox.url}/commercetools/api/",
                "CTP_AUTH_URL": f"{sandbox.url}/commercetools/auth",
            },
        )


def test_recording_a_real_account_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of key, client, secret, tokens, host, customers and orders nothing is in the files, in any form."""
    with posing_as_real() as (sandbox, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        files = record("commercetools", tmp_path, from_sandbox=False)
        texts = {path.stem: path.read_text(encoding="utf-8") for path in files}
        secrets = [variables["CTP_CLIENT_ID"], variables["CTP_CLIENT_SECRET"], *sandbox.tokens._tokens]
        known = [*forms_of(secrets), "acme", sandbox.url.removeprefix("http://")]
        for customer in sandbox.shop.documents("customers"):
            known += [customer["id"], customer["email"], customer["customerNumber"]]
            known += [address["id"] for address in customer["addresses"]]
        for order in sandbox.shop.documents("orders"):
            known += [order["id"], *[order[name] for name in ("orderNumber", "customerEmail") if name in order]]

    assert len(sandbox.tokens._tokens) > 5
    assert [text for text in known if any(text in recorded for recorded in texts.values())] == []
    placeholders = ("https://api.example.com/project", "https://auth.example.com/oauth/")
    for path in files:
        assert all(uri.startswith(placeholders) for uri in Answers(path).uris)


def test_recording_the_same_again_gives_the_same_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tokens, dates, ports and correlation ids leave no trace, so a re-recording shows only what really changed."""
    monkeypatch.setenv("CTP_CLIENT_SECRET", "to be put back afterwards")
    texts = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = record("commercetools", folder, from_sandbox=True)
        texts.append({path.name: path.read_text(encoding="utf-8") for path in files})

    assert texts[0] == texts[1]


def test_a_recording_that_leaks_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a scrubber that forgets the answers, the recorder stops and says which rule is broken where, without values."""

    class Forgetful(Scrubber):
        """Leaves answers as they are."""

        def fresh(self) -> Scrubber:
            """Another forgetful one."""
            return Forgetful(dict(self._places), self._words)

        def value(self, value: Any, name: str = "", *, is_free: bool = False) -> Any:
            """The value itself."""
            return value

    whole = recording_of("commercetools")

    @contextmanager
    def forgetful() -> Iterator[Account]:
        with whole.sandbox() as account:
            scrubber = Forgetful(dict(account.scrubber._places), account.scrubber._words)
            yield replace(account, scrubber=scrubber)

    broken = replace(whole, sandbox=forgetful, scenarios={"customers": whole.scenarios["customers"]})
    _use(monkeypatch, {"commercetools": broken})
    monkeypatch.setenv("CTP_CLIENT_SECRET", "to be put back afterwards")
    with pytest.raises(RecordingError) as caught:
        record("commercetools", tmp_path, from_sandbox=True)

    text = str(caught.value)
    assert "customers.yaml: personal field (line" in text
    assert "customers.yaml: credential in JSON (line" in text
    assert "@" not in text


def _use(monkeypatch: pytest.MonkeyPatch, recordings: Mapping[str, Recording]) -> None:
    monkeypatch.setattr(recorder, "recording_of", recordings.__getitem__)


def test_recording_a_real_account_needs_its_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without them nothing is asked and nothing written; the error names each variable and what it is."""
    for name in NAMES:
        variables = recording_of(name).variables
        for variable in variables:
            monkeypatch.delenv(variable, raising=False)
        with pytest.raises(RecordingError) as caught:
            record(name, tmp_path, from_sandbox=False)
        assert all(f"{variable}: {what}" in str(caught.value) for variable, what in variables.items())
    assert list(tmp_path.iterdir()) == []


def test_an_account_that_refuses_leaves_the_cassettes_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wrong credentials end the recording with our own error, which holds no secret."""
    with posing_as_real() as (_, variables):
        for name, value in (variables | {"CTP_CLIENT_SECRET": "wrong-s3cret-value"}).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(RecordingError, match="client_secret") as caught:
            record("commercetools", tmp_path, from_sandbox=False)

    assert "wrong-s3cret-value" not in str(caught.value)
