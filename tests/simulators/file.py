"""A folder as the contract tests want it: what a reader of JSON lines makes of it, sharing no code with the destination.

There is no server: nothing can refuse a batch or a credential, or lose an answer, so what a folder does instead when it
fails is in `tests/faults/test_file_faults.py`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cdi_cli.errors import StoppedError
from cdi_cli.events import Event
from simulators import Delivery, Mistake


class FolderSimulator:
    """One folder; see `simulators.DestinationSimulator`."""

    environment: Mapping[str, str] = {}

    def __init__(self, top: Path) -> None:
        self._top = top
        self._number = 0
        (top / "taken").write_text("a file where the folder should be", encoding="utf-8")
        (top / "open").mkdir()
        (top / "open").chmod(0o777)

    @property
    def _folder(self) -> Path:
        return self._top / str(self._number)

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """A file in the way, and a folder that anybody may write to."""
        return {
            "no folder": Mistake({"folder": self._top / "taken" / "x"}, "taken", error=StoppedError),
            "everybody's folder": Mistake({"folder": self._top / "open"}, "others can write", error=StoppedError),
        }

    def settings(self) -> dict[str, Any]:
        """A folder that the destination makes itself."""
        return {"folder": str(self._folder)}

    def clear(self) -> None:
        """Another folder."""
        self._number += 1

    def _files(self) -> list[Path]:
        found = [path for path in self._folder.glob("*.jsonl*") if path.is_file()]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def applied(self) -> Sequence[Mapping[str, Any]]:
        """Every line, of files that are still being written, too."""
        texts = [path.read_text(encoding="utf-8") for path in self._files()]
        assert all(text.endswith("\n") for text in texts if text)
        return [json.loads(line) for text in texts for line in text.split("\n") if line]

    def dropped(self) -> Sequence[str]:
        """A folder keeps what it took."""
        return []

    def deliveries(self) -> Sequence[Delivery]:
        """One for each file: the contract tests that ask send one batch with each instance."""
        return [Delivery(path.stat().st_size, path.read_bytes().count(b"\n")) for path in self._files()]

    def script(self, outcome: str) -> Callable[[], int]:
        """Nothing of the kind happens to a folder."""
        pytest.skip(f"a folder has no server: `{outcome}` does not happen to it")

    def event_id(self, applied: Mapping[str, Any]) -> str:
        """As in Segment's spec."""
        return str(applied["messageId"])

    def shows(self, applied: Mapping[str, Any], event: Event) -> bool:
        """A line holds the name and the whole properties."""
        said, meant = (applied["event"], applied["properties"]), (event.name, event.properties)
        return json.dumps(said, sort_keys=True) == json.dumps(meant, sort_keys=True)


@contextmanager
def _run() -> Iterator[FolderSimulator]:
    with tempfile.TemporaryDirectory() as top:
        yield FolderSimulator(Path(top))


DESTINATION_SIMULATOR = _run
