"""A strict reader of Prometheus' text format 0.0.4, written from its page ("Exposition formats"), not from our writer.

It refuses what a scraper only forgives: a sample before its HELP and TYPE, a family in two places, a label twice, a series
twice, an unknown escape, a counter whose name does not end in `_total`, a negative counter, a missing last line end.
"""

from __future__ import annotations

import math
import re

METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|Inf)|NaN")
Series = tuple[str, frozenset[tuple[str, str]]]


def parse(text: str) -> dict[Series, float]:
    """(metric, labels) -> value; raises ValueError with the line for anything that is not exactly the format."""
    if not text.endswith("\n"):
        raise ValueError("the last line does not end")
    found: dict[Series, float] = {}
    helped: set[str] = set()
    types: dict[str, str] = {}
    closed: set[str] = set()
    current = ""
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, words = line[7:].partition(" ")
            _expect(METRIC.fullmatch(name) is not None and bool(words) and name not in helped, line)
            _expect(re.fullmatch(r"([^\\]|\\\\|\\n)*", words) is not None, line)
            helped.add(name)
            closed.add(current)
            current = name
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            _expect(name == current and name not in types and kind in ("gauge", "counter"), line)
            _expect((kind == "counter") == name.endswith("_total"), line)
            types[name] = kind
        else:
            name, labels, value = _sample(line)
            _expect(name == current and name in types and name not in closed, line)
            _expect((name, labels) not in found, line)
            _expect(types[name] == "gauge" or (value >= 0 and math.isfinite(value)), line)
            found[name, labels] = value
    return found


def _sample(line: str) -> tuple[str, frozenset[tuple[str, str]], float]:
    match = METRIC.match(line)
    _expect(match is not None, line)
    assert match is not None
    labels: dict[str, str] = {}
    position = match.end()
    if line[position : position + 1] == "{":
        position += 1
        while line[position : position + 1] != "}":
            name = LABEL.match(line, position)
            _expect(name is not None and not name.group().startswith("__"), line)
            assert name is not None
            _expect(line[name.end() : name.end() + 2] == '="' and name.group() not in labels, line)
            labels[name.group()], position = _quoted(line, name.end() + 2)
            if line[position : position + 1] == ",":
                position += 1
                _expect(line[position : position + 1] != "}", line)
            else:
                _expect(line[position : position + 1] == "}", line)
        position += 1
    _expect(line[position : position + 1] == " ", line)
    _expect(NUMBER.fullmatch(line[position + 1 :]) is not None, line)
    return match.group(), frozenset(labels.items()), float(line[position + 1 :].replace("Inf", "inf"))


def _quoted(line: str, position: int) -> tuple[str, int]:
    """A label's value and where the line goes on behind its closing quote."""
    text = ""
    while line[position : position + 1] != '"':
        _expect(position < len(line), line)
        if line[position] == "\\":
            escape = line[position + 1 : position + 2]
            _expect(escape in ("\\", '"', "n") and escape != "", line)
            text += "\n" if escape == "n" else escape
            position += 2
        else:
            text += line[position]
            position += 1
    return text, position + 1


def _expect(holds: bool, line: str) -> None:
    if not holds:
        raise ValueError(f"not in the format: {line}")
