"""Parsing JSONata: from text to a tree that knows its places, by operator precedence, as the reference parser does it.

Binding powers and forms of the operators are those of JSONata 2. Depth is bounded, so that no text can exhaust the stack.
"""

from __future__ import annotations

from cdi_cli.plan.jsonata_tokens import JsonataError, Token, scan
from cdi_cli.plan.jsonata_tree import Node

NESTING_MAX = 100
DEPTH_MAX = 200
"""The most levels of a tree: a chain of operators is as deep as it is long."""

_POWERS: dict[str, int] = {
    **dict.fromkeys(("[", "(", "@", "#"), 80),
    ".": 75,
    "{": 70,
    **dict.fromkeys(("*", "/", "%"), 60),
    **dict.fromkeys(("+", "-", "&"), 50),
    **dict.fromkeys(("=", "!=", "<", "<=", ">", ">=", "in", "^", "~>", "?:", "??"), 40),
    "and": 30,
    "or": 25,
    **dict.fromkeys(("?", ".."), 20),
    ":=": 10,
}
_NEGATE = 70
_TERMINALS = {"*": "wildcard", "**": "descendants", "%": "parent"}


def parse(text: str) -> Node:
    """The tree of an expression; raises JsonataError with the place of the first mistake."""
    return _Parser(text).parse()


class _Parser:
    """Reads one expression; `_token` is the next that has not been taken."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._end = 0
        self._token = scan(text, 0, is_operand=True)

    def parse(self) -> Node:
        if self._is_at_end():
            raise JsonataError("the expression is empty", 0)
        node = self._expression(0)
        if not self._is_at_end():
            raise self._unexpected("an operator, or the end")
        return node

    def _is_at_end(self) -> bool:
        return self._token.kind == "end"

    def _take(self, *, is_operand: bool) -> Token:
        """The present token; `is_operand`: an operand may come next."""
        token = self._token
        self._end = token.end
        self._token = scan(self._text, token.end, is_operand=is_operand)
        return token

    def _expect(self, sign: str, *, is_operand: bool = False, opened: Token | None = None) -> None:
        if self._token.is_operator(sign):
            self._take(is_operand=is_operand)
            return
        if opened is not None and self._token.kind == "end":
            message = f"`{opened.value}` is never closed"
            raise JsonataError(message, opened.start, f"add `{sign}`")
        raise self._unexpected(f"`{sign}`")

    def _unexpected(self, wanted: str) -> JsonataError:
        token = self._token
        found = "the text ends" if token.kind == "end" else f"found `{self._text[token.start : token.end][:40]}`"
        return JsonataError(f"{found} where {wanted} is expected", token.start)

    def _expression(self, power: int) -> Node:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise JsonataError(f"nested deeper than {NESTING_MAX} levels", self._token.start, "take it apart with `:=`")
        left = self._operand()
        while power < (_POWERS.get(self._token.value, 0) if self._token.kind == "operator" else 0):
            left = self._continued(left)
        self._depth -= 1
        return left

    def _node(self, kind: str, start: int, *parts: Node, value: object = None) -> Node:
        """A node from `start` to the end of what was taken last."""
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth > DEPTH_MAX:
            hint = "take it apart with `:=`, or join texts with `$join`"
            raise JsonataError(f"more than {DEPTH_MAX} operators follow each other", start, hint)
        return Node(kind, start, self._end, value, parts, depth)

    def _operand(self) -> Node:
        token = self._token
        if token.kind not in ("operator", "end"):
            self._take(is_operand=False)
            return Node(token.kind, token.start, token.end, token.value)
        if token.is_operator("-"):
            self._take(is_operand=True)
            return self._node("negate", token.start, self._expression(_NEGATE))
        if token.is_operator(*_TERMINALS):
            self._take(is_operand=False)
            return self._node(_TERMINALS[token.value], token.start)
        forms = {"(": self._block, "[": self._array, "{": self._object, "|": self._transform}
        form = forms.get(token.value) if token.kind == "operator" else None
        if form is None:
            raise self._unexpected("a value")
        return form(self._take(is_operand=True))

    def _block(self, opened: Token) -> Node:
        statements = []
        while not self._token.is_operator(")"):
            statements.append(self._expression(0))
            if not self._token.is_operator(";"):
                break
            self._take(is_operand=True)
        self._expect(")", opened=opened)
        return self._node("block", opened.start, *statements)

    def _array(self, opened: Token) -> Node:
        elements = [] if self._token.is_operator("]") else self._list()
        self._expect("]", opened=opened)
        return self._node("array", opened.start, *elements)

    def _list(self) -> list[Node]:
        elements = [self._expression(0)]
        while self._token.is_operator(","):
            self._take(is_operand=True)
            elements.append(self._expression(0))
        return elements

    def _object(self, opened: Token) -> Node:
        return self._node("object", opened.start, *self._pairs(opened))

    def _pairs(self, opened: Token) -> list[Node]:
        """Keys and values up to the closing brace."""
        parts: list[Node] = []
        if not self._token.is_operator("}"):
            while True:
                parts.append(self._expression(0))
                self._expect(":", is_operand=True)
                parts.append(self._expression(0))
                if not self._token.is_operator(","):
                    break
                self._take(is_operand=True)
        self._expect("}", opened=opened)
        return parts

    def _transform(self, opened: Token) -> Node:
        parts = [self._expression(0)]
        self._expect("|", is_operand=True)
        parts.append(self._expression(0))
        if self._token.is_operator(","):
            self._take(is_operand=True)
            parts.append(self._expression(0))
        self._expect("|", opened=opened)
        return self._node("transform", opened.start, *parts)

    def _continued(self, left: Node) -> Node:
        """What an operator behind `left` makes of it."""
        token = self._take(is_operand=True)
        sign: str = token.value
        if sign == "(":
            return self._called(left, token)
        if sign == "[":
            return self._filtered(left, token)
        if sign == "{":
            return self._node("group", left.start, left, *self._pairs(token))
        if sign == "^":
            return self._sorted(left)
        if sign in ("@", "#"):
            variable = self._expression(_POWERS[sign])
            if variable.kind != "variable":
                raise JsonataError(f"`{sign}` needs a variable behind it", variable.start, f"as in `{sign}$each`")
            return self._node("focus" if sign == "@" else "index", left.start, left, value=variable.value)
        if sign == ":=":
            if left.kind != "variable":
                raise JsonataError("only a variable can be assigned", left.start, "as in `$total := ...`")
            return self._node("bind", left.start, self._expression(_POWERS[sign] - 1), value=left.value)
        if sign == "?":
            return self._conditional(left)
        if sign in ("?:", "??"):
            return self._node("binary", left.start, left, self._expression(0), value=sign)
        right = self._expression(_POWERS[sign])
        return self._node("dot" if sign == "." else "binary", left.start, left, right, value=sign)

    def _conditional(self, left: Node) -> Node:
        parts = [left, self._expression(0)]
        if self._token.is_operator(":"):
            self._take(is_operand=True)
            parts.append(self._expression(0))
        return self._node("condition", left.start, *parts)

    def _filtered(self, left: Node, opened: Token) -> Node:
        if self._token.is_operator("]"):
            self._take(is_operand=False)
            return self._node("keep", left.start, left)
        condition = self._expression(0)
        self._expect("]", opened=opened)
        return self._node("filter", left.start, left, condition)

    def _sorted(self, left: Node) -> Node:
        self._expect("(", is_operand=True)
        terms = []
        while True:
            if self._token.is_operator("<", ">"):
                self._take(is_operand=True)
            terms.append(self._expression(0))
            if not self._token.is_operator(","):
                break
            self._take(is_operand=True)
        self._expect(")")
        return self._node("sort", left.start, left, *terms)

    def _called(self, left: Node, opened: Token) -> Node:
        arguments: list[Node] = []
        if not self._token.is_operator(")"):
            arguments.append(self._argument())
            while self._token.is_operator(","):
                self._take(is_operand=True)
                arguments.append(self._argument())
        self._expect(")", opened=opened)
        if left.kind == "name" and left.value in ("function", "λ"):
            return self._lambda(left, arguments)
        return self._node("call", left.start, left, *arguments)

    def _argument(self) -> Node:
        """An argument, or the `?` that leaves it open."""
        if not self._token.is_operator("?"):
            return self._expression(0)
        place = self._take(is_operand=False)
        return Node("placeholder", place.start, place.end)

    def _lambda(self, left: Node, parameters: list[Node]) -> Node:
        for parameter in parameters:
            if parameter.kind != "variable":
                raise JsonataError("a parameter must be a variable", parameter.start, "as in `function($each) {...}`")
        if self._token.is_operator("<"):
            self._skip_signature()
        if not self._token.is_operator("{"):
            raise self._unexpected("`{` and the body of the function")
        opened = self._take(is_operand=True)
        body = self._expression(0)
        self._expect("}", opened=opened)
        return self._node("lambda", left.start, body, value=tuple(each.value for each in parameters))

    def _skip_signature(self) -> None:
        """Pass over a signature `<a<n>s:b>`; what it says is the engine's business."""
        opened = self._token
        depth = 0
        while self._token.kind != "end":
            token = self._take(is_operand=False)
            depth += token.is_operator("<") - token.is_operator(">")
            if depth == 0:
                return
        raise JsonataError("the signature has no end", opened.start, "add `>`")
