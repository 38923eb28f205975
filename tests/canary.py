"""The canary: secrets and personal data that are planted before a scenario and looked for after it, everywhere.

A secret may be nowhere: not in what was printed, not in any file that the program left behind, in no usual encoding.
Personal data may be in the payload columns of dead letters and nowhere else; the password hash of a customer not even there.
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from cdi_cli.sandbox import SandboxOptions, SandboxThread

CLIENT_SECRET = "canary-s3cret/4711+a b"
WRITE_KEY = "canary-wr1te/key+0815"
PASSWORD_HASH = "$2y$canary0hash0of0a0password"
PERSON = {
    "e-mail": "canary.person@mail.example.org",
    "phone": "+4915550008151",
    "street": "Canary Lane 4711b",
    "family name": "Canarywitz",
    "birth date": "1961-02-03",
}
CUSTOMER_ID = "0000ca0a-0000-4000-8000-00000000ca0a"
MOMENT = "2026-06-01T12:00:00.000Z"
_PAYLOAD = {("dead_letters", "record"), ("dead_letters", "event")}


def options(**changes: Any) -> SandboxOptions:
    """A sandbox whose credentials are canaries."""
    from cdi_cli.clock import Instant

    given: dict[str, Any] = {"orders": 60, "now": Instant("2026-11-01T00:00:00.000Z")}
    return SandboxOptions(**(given | changes), client_secret=CLIENT_SECRET, write_key=WRITE_KEY)


def plant(sandbox: SandboxThread) -> dict[str, Any]:
    """Add the canary person to a shop, with one order; returns that order as it was stored."""
    shop = sandbox.shop
    street, _, number = PERSON["street"].rpartition(" ")
    address = {
        "id": "canary",
        "firstName": "Cana",
        "lastName": PERSON["family name"],
        "streetName": street,
        "streetNumber": number,
        "postalCode": "10115",
        "city": "Berlin",
        "country": "DE",
        "email": PERSON["e-mail"],
        "phone": PERSON["phone"],
    }
    times = {"createdAt": MOMENT, "lastModifiedAt": MOMENT}
    customer = {
        **shop.documents("customers")[0],
        **times,
        "id": CUSTOMER_ID,
        "email": PERSON["e-mail"],
        "lastName": PERSON["family name"],
        "dateOfBirth": PERSON["birth date"],
        "password": PASSWORD_HASH,
        "addresses": [address],
        "defaultShippingAddressId": "canary",
        "defaultBillingAddressId": "canary",
    }
    shop.add("customers", customer)
    order = {
        **shop.documents("orders")[0],
        **times,
        "id": "0000ca0b-0000-4000-8000-00000000ca0b",
        "orderNumber": "CANARY-1",
        "customerId": CUSTOMER_ID,
        "customerEmail": PERSON["e-mail"],
        "shippingAddress": address,
        "billingAddress": address,
    }
    order.pop("paymentInfo", None)
    return shop.add("orders", order)


def spellings(secret: str) -> set[str]:
    """A secret as it might be written: plain, URL-encoded, in JSON, in base64 (also as user or password of HTTP Basic)."""
    forms = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    for text in (secret, f"{secret}:", f":{secret}", f"sandbox-client:{secret}"):
        forms.add(base64.b64encode(text.encode()).decode().rstrip("="))
        forms.add(base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))
    return forms


def scan(folder: Path, texts: Iterable[str], tokens: Iterable[str], *, scratch: Path) -> list[str]:
    """Everything found where it may not be, in words; empty when all is well. `scratch` is a folder for copies."""
    secrets = {name: spellings(value) for name, value in (("client secret", CLIENT_SECRET), ("write key", WRITE_KEY))}
    secrets |= {"access token": {form for token in tokens for form in spellings(token)}, "password hash": {PASSWORD_HASH}}
    found: list[str] = []
    for number, text in enumerate(texts):
        held = {**secrets, **{name: {value} for name, value in PERSON.items()}}
        found += [f"{name} in output {number}" for name, forms in held.items() if any(form in text for form in forms)]
    databases = {path for path in folder.rglob("*.db") if path.is_file()}
    allowed = {value for database in databases for value in _in_payloads(database, scratch)}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        is_state = any(path.name.startswith(database.name) for database in databases)
        found += [
            f"{name} in {path.name}"
            for name, forms in secrets.items()
            if any(form.encode() in content or form.encode("utf-16-le") in content for form in forms)
        ]
        found += [
            f"{name} in {path.name}"
            for name, value in PERSON.items()
            if value.encode() in content and not (is_state and value in allowed)
        ]
    return found + [one for database in databases for one in _in_other_columns(database, scratch)]


def _cells(database: Path, scratch: Path) -> list[tuple[str, str, bytes]]:
    """(table, column, value) of every text and blob of a checkpoint file, read from a copy with its log."""
    copy = scratch / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for path in (database, database.with_name(f"{database.name}-wal")):
        if path.exists():
            shutil.copyfile(path, copy / path.name)
    cells: list[tuple[str, str, bytes]] = []
    try:
        with closing(sqlite3.connect(copy / database.name)) as db:
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                rows = db.execute(f'SELECT * FROM "{table}"')
                names = [column[0] for column in rows.description]
                cells += [
                    (table, name, value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass"))
                    for row in rows
                    for name, value in zip(names, row, strict=True)
                    if isinstance(value, bytes | str)
                ]
    except sqlite3.DatabaseError:
        return []  # damaged on purpose by the scenario: its bytes are still searched as a file
    return cells


def _in_payloads(database: Path, scratch: Path) -> set[str]:
    payloads = [value for table, column, value in _cells(database, scratch) if (table, column) in _PAYLOAD]
    return {value for value in PERSON.values() if any(value.encode() in payload for payload in payloads)}


def _in_other_columns(database: Path, scratch: Path) -> list[str]:
    return [
        f"{name} in column {table}.{column} of {database.name}"
        for table, column, cell in _cells(database, scratch)
        if (table, column) not in _PAYLOAD
        for name, value in PERSON.items()
        if value.encode() in cell
    ]
