"""JSONata text as tokens, each with the place where it begins and ends.

The engine that evaluates expressions tells no places, so the text is read here as well: for messages with line and column,
for what an expression must not do, for which part of a template makes which property. The grammar is that of JSONata 2
(docs.jsonata.org; its reference parser is `parser.js` of the project jsonata-js/jsonata).

What begins with `/` is a regular expression where an operand may stand, and a division elsewhere: the parser says which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["name", "variable", "string", "number", "value", "regex", "operator", "end"]

PAIRS = ("..", ":=", "!=", ">=", "<=", "**", "~>", "?:", "??")
SINGLES = frozenset(".[]{}(),@#;:?+-*/%|=<>^&!~")
WORDS = frozenset({"and", "or", "in"})
"""Operators that are words; where an operand may stand they are names."""

VALUES: dict[str, Any] = {"true": True, "false": False, "null": None}

_BLANK = re.compile(r"[ \t\n\r\v]+")
_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NAME = re.compile(r"[^ \t\n\r\v.\[\]{}(),@#;:?+\-*/%|=<>^&!~\"'`]+")
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"[0-9a-fA-F]{4}")


class JsonataError(Exception):
    """The text is no JSONata expression; `offset` is the character where it goes wrong, from 0."""

    def __init__(self, message: str, offset: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Token:
    """One token: `value` is what it stands for, `text[start:end]` how it is written."""

    kind: Kind
    value: Any
    start: int
    end: int

    def is_operator(self, *signs: str) -> bool:
        """Whether it is one of these operators."""
        return self.kind == "operator" and self.value in signs


def scan(text: str, position: int, *, is_operand: bool) -> Token:
    """The token that begins at or after a position; raises JsonataError for one that cannot be read.

    `is_operand`: an operand may stand here, so that `/` begins a regular expression.
    """
    start = _skipped(text, position)
    if start >= len(text):
        return Token("end", None, len(text), len(text))
    sign = text[start]
    if sign in "\"'":
        return _string(text, start, sign)
    if sign == "`":
        end = text.find("`", start + 1)
        if end < 0:
            raise JsonataError("a name in backquotes has no end", start, "add the closing backquote")
        return Token("name", text[start + 1 : end], start, end + 1)
    if sign == "/" and is_operand:
        return _regex(text, start)
    if text[start : start + 2] in PAIRS:
        return Token("operator", text[start : start + 2], start, start + 2)
    if sign in SINGLES:
        return Token("operator", sign, start, start + 1)
    if number := _NUMBER.match(text, start):
        return Token("number", float(number.group()), start, number.end())
    found = _NAME.match(text, start)
    assert found is not None, "every character is blank, a sign, or part of a name"
    return _word(found.group(), start, found.end(), is_operand=is_operand)


def _word(word: str, start: int, end: int, *, is_operand: bool) -> Token:
    if word.startswith("$"):
        return Token("variable", word[1:], start, end)
    if word in WORDS and not is_operand:
        return Token("operator", word, start, end)
    if word in VALUES:
        return Token("value", VALUES[word], start, end)
    return Token("name", word, start, end)


def _skipped(text: str, position: int) -> int:
    """The position behind blanks and comments."""
    while True:
        blank = _BLANK.match(text, position)
        position = blank.end() if blank else position
        if not text.startswith("/*", position):
            return position
        end = text.find("*/", position + 2)
        if end < 0:
            raise JsonataError("a comment has no end", position, "add `*/`")
        position = end + 2


def _string(text: str, start: int, quote: str) -> Token:
    parts: list[str] = []
    position = start + 1
    while position < len(text):
        character = text[position]
        if character == quote:
            return Token("string", "".join(parts), start, position + 1)
        if character != "\\":
            parts.append(character)
            position += 1
            continue
        escape = text[position + 1 : position + 2]
        if escape == "u":
            digits = _HEX.match(text, position + 2)
            if digits is None:
                raise JsonataError("`\\u` needs four hexadecimal digits", position)
            parts.append(chr(int(digits.group(), 16)))
            position += 6
        elif escape in _ESCAPES and escape:
            parts.append(_ESCAPES[escape])
            position += 2
        else:
            raise JsonataError(f"the escape `\\{escape}` is not known", position, "write a backslash as `\\\\`")
    raise JsonataError("a text has no end", start, f"add the closing `{quote}`")


def _regex(text: str, start: int) -> Token:
    position = start + 1
    while position < len(text) and text[position] != "/":
        position += 2 if text[position] == "\\" else 1
    if position >= len(text):
        raise JsonataError("a regular expression has no end", start, "add the closing `/`")
    if position == start + 1:
        raise JsonataError("the regular expression is empty", start)
    end = position + 1
    while end < len(text) and text[end] in "im":
        end += 1
    return Token("regex", text[start:end], start, end)
