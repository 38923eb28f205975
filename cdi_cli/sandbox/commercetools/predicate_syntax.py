"""Query predicates: text to syntax tree, by a small tokenizer and a recursive-descent parser.

    expression  = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" "(" expression ")" | "(" expression ")" | condition
    condition   = field "(" expression ")"                                  nested object, or any element of an array
                | field ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") value
                | field ["not"] "in" list
                | field "contains" ("any" | "all") list
                | field "is" ["not"] ("defined" | "empty")
                | field "matches ignore case" value
    list        = "(" value { "," value } ")" | variable
    value       = "text" | number | true | false | :variable
    field       = name | `quoted name`

Variables are filled in while parsing; one that stands for a list takes every value given for its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Compare:
    """`field op value`, op one of `= != < <= > >=`."""

    field: str
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """`field in (...)`, or `not in` when negated."""

    field: str
    values: tuple[Value, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Contains:
    """`field contains any (...)`, or `contains all (...)`; the field is an array."""

    field: str
    values: tuple[Value, ...]
    needs_all: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """`field is defined` (`what` "defined") or `is empty`, or their opposites when negated."""

    field: str
    what: str
    negated: bool


@dataclass(frozen=True, slots=True)
class MatchesIgnoreCase:
    """`field matches ignore case value`."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Nested:
    """`field(expression)`."""

    field: str
    inner: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All parts hold."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One part holds."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The inner expression does not hold."""

    inner: Expression


Expression = Compare | In | Contains | Exists | MatchesIgnoreCase | Nested | And | Or | Not

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<variable>:[a-zA-Z0-9]+)
    | (?P<quoted>`[^`]+`)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<mark><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_VALUE = "StringLiteral, NumberLiteral, boolean or inputParam"
_COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_DEPTH_MAX = 50


class PredicateError(ValueError):
    """The text is not a predicate; the message is what the API puts behind `Malformed parameter: where: `."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def parse(text: str, variables: Mapping[str, Sequence[str]] | None = None) -> Expression:
    """The tree of a predicate; `variables` maps the names of `var.x` parameters to their values.

    Raises PredicateError for anything the grammar does not allow, and for variables without a value.
    """
    return _Parser(text, variables or {}).whole()


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = len(text) - len(text[position:].lstrip())
            raise _syntax_error(text, start, "a field, a value or an operator")
        found.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return [*found, _Token("end", "", len(text))]


def _syntax_error(text: str, position: int, expected: str) -> PredicateError:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    found = f"Invalid input '{text[position]}'" if position < len(text) else "Unexpected end of input"
    shown = text.split("\n")[line - 1]
    return PredicateError(
        f"Syntax error while parsing 'where'. {found}, expected {expected} (line {line}, column {column}):\n"
        f"{shown}\n{' ' * (column - 1)}^"
    )


class _Parser:
    def __init__(self, text: str, variables: Mapping[str, Sequence[str]]) -> None:
        self._text = text
        self._variables = variables
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Expression:
        expression = self._expression()
        if self._peek.kind != "end":
            raise self._expected("end of input, `and` or `or`")
        return expression

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _expected(self, what: str) -> PredicateError:
        return _syntax_error(self._text, self._peek.position, what)

    def _accept(self, text: str) -> bool:
        if self._peek.kind in ("name", "mark") and self._peek.text == text:
            self._at += 1
            return True
        return False

    def _require(self, text: str) -> None:
        if not self._accept(text):
            raise self._expected(f"'{text}'")

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise PredicateError(f"The predicate is nested more than {_DEPTH_MAX} levels deep.")
        parts = [self._conjunction()]
        while self._accept("or"):
            parts.append(self._conjunction())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _conjunction(self) -> Expression:
        parts = [self._negation()]
        while self._accept("and"):
            parts.append(self._negation())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _negation(self) -> Expression:
        if self._accept("not"):
            return Not(self._parenthesised())
        if self._peek.kind == "mark" and self._peek.text == "(":
            return self._parenthesised()
        return self._condition()

    def _parenthesised(self) -> Expression:
        self._require("(")
        inner = self._expression()
        self._require(")")
        return inner

    def _condition(self) -> Expression:
        if self._peek.kind not in ("name", "quoted"):
            raise self._expected("a field, 'not' or '('")
        field = self._next().text.strip("`")
        if self._peek.kind == "mark" and self._peek.text == "(":
            return Nested(field, self._parenthesised())
        if self._peek.text in _COMPARISONS and self._peek.kind == "mark":
            op = _COMPARISONS[self._next().text]
            return Compare(field, op, self._value())
        if self._accept("in"):
            return In(field, self._list(), negated=False)
        if self._accept("not"):
            self._require("in")
            return In(field, self._list(), negated=True)
        if self._accept("contains"):
            return self._contains(field)
        if self._accept("is"):
            return self._exists(field)
        if self._accept("matches"):
            self._require("ignore")
            self._require("case")
            value = self._value()
            if not isinstance(value, str):
                raise self._expected("StringLiteral")
            return MatchesIgnoreCase(field, value)
        raise self._expected("'(' or an operator")

    def _contains(self, field: str) -> Contains:
        if self._accept("any"):
            return Contains(field, self._list(), needs_all=False)
        self._require("all")
        return Contains(field, self._list(), needs_all=True)

    def _exists(self, field: str) -> Exists:
        negated = self._accept("not")
        if self._accept("empty"):
            return Exists(field, "empty", negated)
        self._require("defined")
        return Exists(field, "defined", negated)

    def _list(self) -> tuple[Value, ...]:
        if self._peek.kind == "variable":
            return tuple(self._variable(self._next().text))
        self._require("(")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._require(")")
        return tuple(values)

    def _value(self) -> Value:
        token = self._peek
        if token.kind == "name" and token.text in ("true", "false"):
            self._at += 1
            return token.text == "true"
        if token.kind == "string":
            self._at += 1
            return _ESCAPE.sub(_unescape, token.text[1:-1])
        if token.kind == "number":
            self._at += 1
            return float(token.text) if "." in token.text else int(token.text)
        if token.kind == "variable":
            self._at += 1
            return self._variable(token.text)[-1]
        raise self._expected(_VALUE)

    def _variable(self, token: str) -> list[Value]:
        given = self._variables.get(token[1:])
        if not given:
            raise PredicateError(f"Missing value for the input variable '{token[1:]}'.")
        return [_variable_value(text) for text in given]


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code[1:], 16)) if code[0] == "u" and len(code) == 5 else _ESCAPED.get(code, code)


def _variable_value(text: str) -> Value:
    """Variables arrive as text; whole numbers and booleans are taken as such, everything else stays text."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text
