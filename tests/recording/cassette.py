"""Recording and replaying: vcrpy around the transport of the one HTTP client, with our scrubber, matching and file format.

A cassette is YAML with bodies as blocks of text. Requests match, after scrubbing, by method, address, query and body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml
from vcr import VCR
from vcr.cassette import Cassette
from vcr.record_mode import RecordMode
from vcr.serializers import yamlserializer

from cdi_cli.clock import parse_instant, shift
from recording.scrub import Scrubber

CASSETTES = Path(__file__).resolve().parent.parent / "cassettes"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _block)


class _Serializer:
    """The file format, as vcrpy wants it."""

    @staticmethod
    def serialize(cassette: dict[str, Any]) -> str:
        """The text of a cassette."""
        return yaml.dump(cassette, Dumper=_Dumper, allow_unicode=True, width=100_000, sort_keys=True)

    @staticmethod
    def deserialize(text: str) -> Any:
        """The cassette of a text."""
        return yamlserializer.deserialize(text)


@contextmanager
def cassette(path: Path, scrubber: Scrubber, *, is_recording: bool = False) -> Iterator[Cassette]:
    """Record what is asked inside the block to a new file, or replay an existing one: then nothing else may be asked."""
    vcr = VCR(
        serializer="blocks",
        record_mode=RecordMode.ALL if is_recording else RecordMode.NONE,
        match_on=("method", "scheme", "host", "port", "path", "query", "body"),
        before_record_request=scrubber.request,
        before_record_response=scrubber.response,
        record_on_exception=False,
    )
    vcr.register_serializer("blocks", _Serializer)
    with vcr.use_cassette(str(path)) as tape:
        yield tape


class Answers:
    """What a cassette holds, read without vcrpy and without the connector: for tests to compare with."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text(encoding="utf-8")
        self.interactions: list[dict[str, Any]] = yaml.safe_load(self.text)["interactions"]

    @property
    def uris(self) -> list[str]:
        """All addresses asked, in order."""
        return [interaction["request"]["uri"] for interaction in self.interactions]

    @property
    def window_start(self) -> str:
        """Where the first window that was asked for begins; empty if none was."""
        for uri in map(unquote, self.uris):
            if start := re.search(r'At >= "([^"]+)"', uri):
                return start[1]
            if "sort=-updated_at" in uri:  # a list without a filter is read down to where its window begins
                return self._after_the_oldest(uri.partition("?")[0])
            if start := re.search(r'ge\((?:created|updated)_at,"([^"]+)"\)', uri):
                return start[1]
            if start := re.search(r"\[field\]=(?:created|updated)_at&[^&]*\[value\]=(\S+) ([\d:]+)", uri):
                return f"{start[1]}T{start[2]}.000Z"
        return ""

    def _after_the_oldest(self, uri: str) -> str:
        times = [row["meta"]["timestamps"]["updated_at"] for body in self.bodies(uri) for row in body["data"]]
        return shift(parse_instant(min(times)), timedelta(milliseconds=1)) if times else ""

    def bodies(self, part: str, *, without: str = "\0") -> list[Any]:
        """The decoded answers to requests whose address, without its encoding, contains one text and not another."""
        return [
            json.loads(interaction["response"]["body"]["string"])
            for interaction in self.interactions
            if part in unquote(interaction["request"]["uri"]) and without not in unquote(interaction["request"]["uri"])
        ]
