"""Patterns that are wrong in themselves: those that match nothing, and those that backtracking engines can choke on.

`cdi` runs patterns in linear time, but the plan is exported to systems that backtrack (Segment, browsers). There a pattern
is catastrophic when some text can be matched in exponentially many ways: two different loops lead from a place in the
pattern back to itself over the same text. That is decided here on the automaton of the pattern's positions (Weideman et al.,
2016), not guessed from its looks: `^[a-z]+(_[a-z]+)*$` is fine, `^([a-z]+_?)*$` is not. `^(a+)+$` on 26 characters took a
backtracking engine 6 s (sheet "Reliability", T8).

What Python's parser cannot read (`\\p{L}`) is not judged.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

PATTERN_CHARACTERS_MAX = 2_000
POSITIONS_MAX = 60
STEPS_MAX = 100_000
"""About 50 ms; a pattern that needs more is not judged."""
LOOP_REPEATS_MIN = 10
"""A repeat of up to so many times is looked at as a loop: it multiplies like one."""

_parser: Any = import_module("re._parser")
_ALL = frozenset(range(129))
"""ASCII, and 128 for every other character."""
_LAST = 0x10FFFF
_CATEGORIES = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}


@dataclass(slots=True)
class _Part:
    """A part of a pattern as its positions see it; the numbers count in how many ways."""

    is_nullable: bool = True
    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)


class _TooLargeError(Exception):
    """The pattern has more positions, or more ways through them, than are looked at."""


class _Automaton:
    """The positions of a pattern: which characters each takes, and which positions follow it in how many ways."""

    def __init__(self, tree: Any) -> None:
        self.characters: list[frozenset[int]] = []
        self.follow: dict[int, dict[int, int]] = {}
        self.sequence(tree)

    def sequence(self, tree: Any) -> _Part:
        whole = _Part()
        for operator, value in tree:
            whole = self._then(whole, self._item(str(operator), value))
        return whole

    def _item(self, operator: str, value: Any) -> _Part:
        if operator == "SUBPATTERN":
            return self.sequence(value[3])
        if operator == "ATOMIC_GROUP":
            return self.sequence(value)
        if operator == "BRANCH":
            parts = [self.sequence(branch) for branch in value[1]]
            first = {position: ways for part in parts for position, ways in part.first.items()}
            last = {position: ways for part in parts for position, ways in part.last.items()}
            return _Part(any(part.is_nullable for part in parts), first, last)
        if operator in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return self._repeat(*value)
        characters = characters_of(operator, value)
        return _Part() if characters is None else self._position(characters)

    def _position(self, characters: frozenset[int]) -> _Part:
        number = len(self.characters)
        if number >= POSITIONS_MAX:
            raise _TooLargeError
        self.characters.append(characters)
        self.follow[number] = {}
        return _Part(False, {number: 1}, {number: 1})

    def _repeat(self, least: int, most: int, body: Any) -> _Part:
        is_loop = most >= LOOP_REPEATS_MIN
        whole = _Part()
        for number in range(min(max(least, 1), 2) if is_loop else min(most, 3)):
            part = self.sequence(body)
            part.is_nullable = part.is_nullable or number >= least
            if is_loop and number >= min(least, 2) - 1:
                self._connect(part.last, part.first)
            whole = self._then(whole, part)
        return whole

    def _then(self, before: _Part, after: _Part) -> _Part:
        self._connect(before.last, after.first)
        first = _sum(before.first, after.first if before.is_nullable else {})
        last = _sum(after.last, before.last if after.is_nullable else {})
        return _Part(before.is_nullable and after.is_nullable, first, last)

    def _connect(self, last: dict[int, int], first: dict[int, int]) -> None:
        for position, ways in last.items():
            following = self.follow[position]
            for target, more in first.items():
                following[target] = min(following.get(target, 0) + ways * more, 2)


def _sum(one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
    return {position: min(one.get(position, 0) + other.get(position, 0), 2) for position in one | other}


def characters_of(operator: str, value: Any) -> frozenset[int] | None:
    """The characters that an item of a pattern takes; None for one that takes none (an anchor)."""
    if operator == "ANY":
        return _ALL - {10}
    if operator in ("LITERAL", "NOT_LITERAL"):
        one = frozenset({min(value, 128)})
        return one if operator == "LITERAL" else _ALL - (one - {128})
    if operator != "IN":
        return None
    found: set[int] = set()
    is_negated = has_all_others = False
    for kind, part in value:
        if str(kind) == "NEGATE":
            is_negated = True
        elif str(kind) == "LITERAL":
            found.add(min(part, 128))
        elif str(kind) == "RANGE":
            found.update(range(min(part[0], 128), min(part[1], 128) + 1))
            has_all_others = has_all_others or (part[0] <= 128 and part[1] >= _LAST)
        else:
            found |= _category(str(part))
            has_all_others = has_all_others or "_NOT_" in str(part)
    # "Every other character" is many: a class that names some of them, negated, still takes the rest.
    rest = found if has_all_others else found - {128}
    return frozenset(_ALL - rest if is_negated else found)


def _category(name: str) -> frozenset[int]:
    is_negated = "_NOT_" in name
    pattern = re.compile(_CATEGORIES[name.rpartition("_")[2]], re.ASCII)
    inside = frozenset(code for code in range(128) if pattern.match(chr(code)))
    if is_negated:
        return _ALL - inside
    return inside | {128} if name.endswith("WORD") else inside


def parse(pattern: str) -> Any | None:
    """The syntax tree of a pattern, None for one that cannot be judged."""
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return None


def is_catastrophic(pattern: str) -> bool:
    """Whether a backtracking engine can need exponential time for the pattern; False where that cannot be told."""
    tree = parse(pattern)
    if tree is None:
        return False
    try:
        automaton = _Automaton(tree)
        graph = {position: list(following) for position, following in automaton.follow.items()}
        return any(_is_ambiguous(automaton, loop) for loop in _loops(graph))
    except (_TooLargeError, RecursionError):
        return False


def _is_ambiguous(automaton: _Automaton, loop: set[int]) -> bool:
    return any(automaton.follow[one].get(other, 0) > 1 for one in loop for other in loop) or _has_two_ways(automaton, loop)


def _loops(graph: dict[int, list[int]]) -> Iterator[set[int]]:
    """The strongly connected parts of a small graph that hold a way from a position back to itself."""
    reach = {start: _reach(graph, graph[start]) for start in graph}
    seen: set[int] = set()
    for start in graph:
        if start not in seen and start in reach[start]:
            loop = {other for other in reach[start] if start in reach[other]}
            seen |= loop
            yield loop


def _reach(graph: dict[int, list[int]], starts: list[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(starts)
    while waiting:
        position = waiting.pop()
        if position not in found:
            found.add(position)
            waiting.extend(graph[position])
    return found


def _has_two_ways(automaton: _Automaton, loop: set[int]) -> bool:
    """Whether some text leads from a position of the loop back to it in two ways: through a pair of unequal positions."""
    start = (next(iter(loop)),) * 2
    forward: dict[tuple[int, int], list[tuple[int, int]]] = {}
    backward: dict[tuple[int, int], list[tuple[int, int]]] = {}
    waiting = [start]
    steps = 0
    while waiting:
        pair = waiting.pop()
        if pair in forward:
            continue
        steps += len(automaton.follow[pair[0]]) * len(automaton.follow[pair[1]])
        if steps > STEPS_MAX:
            raise _TooLargeError
        forward[pair] = [
            (one, other)
            for one in automaton.follow[pair[0]]
            for other in automaton.follow[pair[1]]
            if one in loop and other in loop and automaton.characters[one] & automaton.characters[other]
        ]
        for following in forward[pair]:
            backward.setdefault(following, []).append(pair)
        waiting.extend(forward[pair])
    returning: set[tuple[int, int]] = set()
    waiting = [start]
    while waiting:
        pair = waiting.pop()
        if pair not in returning:
            returning.add(pair)
            waiting.extend(backward.get(pair, ()))
    return any(one != other for one, other in returning)


def widths(pattern: str) -> tuple[int, int | None] | None:
    """How many characters a text that matches has at least, and at most (None: any number); None where that is unknown."""
    tree = parse(pattern)
    if tree is None:
        return None
    least, most = tree.getwidth()
    items = [(str(operator), str(value)) for operator, value in tree]
    is_whole = len(items) > 1 and items[0] == ("AT", "AT_BEGINNING") and items[-1] == ("AT", "AT_END")
    return least, most if is_whole and most < 2**16 else None


def matches_nothing(pattern: str) -> bool:
    """Whether no text at all can match: something must stand before the start, after the end, or in an empty class."""
    tree = parse(pattern)
    return tree is not None and _is_impossible(tree)


def _is_impossible(tree: Any) -> bool:
    has_consumed = has_ended = False
    for operator, value in tree:
        name = str(operator)
        if name == "AT":
            has_ended = has_ended or str(value) == "AT_END"
            if has_consumed and str(value) == "AT_BEGINNING":
                return True
            continue
        one = _parser.SubPattern(tree.state, [(operator, value)])
        is_mandatory = one.getwidth()[0] > 0
        if is_mandatory and (has_ended or _is_impossible_item(name, value)):
            return True
        has_consumed = has_consumed or is_mandatory
    return False


def _is_impossible_item(name: str, value: Any) -> bool:
    if name == "SUBPATTERN":
        return _is_impossible(value[3])
    if name == "BRANCH":
        return all(_is_impossible(branch) for branch in value[1])
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _is_impossible(value[2])
    return characters_of(name, value) == frozenset()
