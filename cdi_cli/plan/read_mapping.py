"""Reading the mappings of a plan file: known keys, texts, choices, versions, every mistake noted at its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cdi_cli.plan.model import Deprecation
from cdi_cli.plan.problems import Problems, listing, suggest
from cdi_cli.plan.versions import Version, is_version
from cdi_cli.plan.yaml_nodes import Node

DEPRECATION_KEYS = ("since", "reason", "replacement")


class MappingReader:
    """Reads values out of one mapping; `path` is where it stands in its file, for messages ("" at the top)."""

    def __init__(self, node: Node, problems: Problems, path: str = "") -> None:
        self.node = node
        self.problems = problems
        self.path = path

    def note(self, key: str, message: str, hint: str | None) -> None:
        """Note a mistake at a key, or at the mapping itself where there is no such key."""
        place = (self.node.get(key) or self.node).place if key else self.node.place
        self.problems.add(place, ".".join(part for part in (self.path, key) if part), message, hint)

    def check_keys(self, known: Iterable[str]) -> None:
        """Note every key that is not known."""
        known = tuple(known)
        for key in self.node.value:
            if key not in known:
                self.note(key, f"unknown key `{key}`", suggest(key, known) or f"known keys are {listing(known)}")

    def text(self, key: str, *, is_required: bool = False) -> str:
        """The text under a key, "" where there is none or something else."""
        inner = self.node.get(key)
        if inner is None:
            if is_required:
                self.note("", f"`{key}` is missing", f"add `{key}: ...`")
            return ""
        if not isinstance(inner.value, str) or (is_required and not inner.value.strip()):
            self.note(key, f"`{key}` must be text", "put it in quotes")
            return ""
        return inner.value

    def choice(self, key: str, known: tuple[str, ...], default: str | None, *, is_required: bool = False) -> Any:
        """The word under a key, one of those known; the default where there is none or another."""
        inner = self.node.get(key)
        if inner is None:
            if is_required:
                self.note("", f"`{key}` is missing", f"one of {listing(known)}")
            return default
        if not isinstance(inner.value, str) or inner.value not in known:
            hint = suggest(str(inner.value), known)
            choices = f"one of {listing(known)}"
            self.note(key, f"`{inner.plain()}` is no known `{key}`", f"{hint} {choices}" if hint else choices)
            return default
        return inner.value

    def mapping(self, key: str, known: Iterable[str] | None = None) -> MappingReader | None:
        """The mapping under a key, its keys checked where they are given; None where there is none or something else."""
        inner = self.node.get(key)
        if inner is None:
            return None
        if not isinstance(inner.value, dict):
            hint = f"with the keys {listing(known)}" if known is not None else None
            self.note(key, f"`{key}` must be a mapping", hint)
            return None
        reader = MappingReader(inner, self.problems, ".".join(part for part in (self.path, key) if part))
        if known is not None:
            reader.check_keys(known)
        return reader

    def texts(self, key: str) -> list[Node]:
        """The nodes of a list of texts under a key (one text counts as a list of one); empty for anything else."""
        inner = self.node.get(key)
        if inner is None:
            return []
        found = inner.value if isinstance(inner.value, list) else [inner]
        if not found or not all(isinstance(each.value, str) for each in found):
            self.note(key, f"`{key}` must be a list of names", f"as in `{key}: [a, b]`")
            return []
        return list(found)


def read_version(reader: MappingReader, key: str, plan_version: str) -> str:
    """The version under a key, no later than the plan's own; "" where there is none or it is wrong."""
    node = reader.node.get(key)
    return version_of(node, key, reader.problems, reader.path, plan_version) if node is not None else ""


def version_of(node: Node, key: str, problems: Problems, path: str, plan_version: str) -> str:
    """The version that a node holds, no later than the plan's own; "" where it is wrong, the mistake noted."""
    text = node.value
    if not isinstance(text, str) or not is_version(text):
        problems.add(node.place, path, f"`{key}` must be a version of the plan", f'as in `{key}: "1.2.0"`, in quotes')
        return ""
    if is_version(plan_version) and Version(text) > Version(plan_version):
        message = f"`{key}: {text}` is later than the plan's own version {plan_version}"
        problems.add(node.place, path, message, "raise `version` in `plan.yaml` first")
        return ""
    return text


def read_deprecation(node: Node | None, since: str, problems: Problems, path: str, plan_version: str) -> Deprecation | None:
    """What `deprecated:` says: a version, or a mapping of `since`, `reason` and `replacement`; None where it is wrong.

    `since` is the version that brought what is deprecated, "" where nobody said.
    """
    if node is None:
        return None
    if not isinstance(node.value, dict):
        found = Deprecation(version_of(node, "deprecated", problems, path, plan_version))
    else:
        reader = MappingReader(node, problems, path)
        reader.check_keys(DEPRECATION_KEYS)
        if node.get("since") is None:
            reader.note("", "`since` is missing", "say since which version of the plan it is deprecated")
        found = Deprecation(read_version(reader, "since", plan_version), reader.text("reason"), reader.text("replacement"))
    if since and found.since and Version(found.since) < Version(since):
        message = f"deprecated in {found.since}, but it came only with {since}"
        problems.add(node.place, path, message, "correct one of the two versions")
    return found if found.since else None
