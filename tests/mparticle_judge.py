"""The vendor's own JSON Schema for what the Events API takes in, as a judge of batches: formats are checked too.

`tests/data/mparticle/mparticle-events-api.schema.json` is mParticle's published inbound schema (draft 7).
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).parent / "data" / "mparticle" / "mparticle-events-api.schema.json"


@lru_cache(maxsize=1)
def _validator() -> jsonschema.Draft7Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())


def violations(batch: Any) -> list[str]:
    """What is wrong with a batch, as `path: message`; empty for a valid one."""
    return [f"{'.'.join(map(str, error.path))}: {error.message}" for error in _validator().iter_errors(batch)]
