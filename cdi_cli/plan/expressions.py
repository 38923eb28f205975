"""The program that evaluates JSONata: the only home of the engine (`jsonatapy`), in a process of its own.

    python -P expressions.py    reads requests from standard input, writes answers to standard output, ends with its input

The engine's objects belong to the thread that made them, a few of its functions look at no clock while they work, and memory
that runs out ends its process. So this process is the boundary: `engine.py` starts it, ends it when it takes too long and
starts another. Its memory is limited (where the system can do that), it is given no secrets, and says of an error only the
engine's code for it, never a value.

A request is a length (4 bytes, big-endian) and so many bytes, an answer as well:

    b"C", source                      -> the code of what is wrong with the source, or nothing
    b"E", number of expressions (2), number of each (4), document as JSON
                                      -> for each: b"v" or b"e", a length (4), the result as JSON or the error's code

Expressions are numbered in the order in which they were compiled without an error. This file imports nothing of cdi: what a
process needs to start is what it costs.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from typing import IO, Any

EVALUATION_MILLISECONDS = 250
"""How long one expression may take. One takes some microseconds; a busy machine must not make it fail."""

DEPTH_MAX = 500
"""How deep calls and nested forms may go; every level is one of the engine's own calls."""

SEQUENCE_MAX = 10_000
"""How many elements a range, a mapped list or a path may come to."""

OUTPUT_BYTES_MAX = 1_000_000
MEMORY_BYTES_MAX = 512 * 1024 * 1024
READY = b"R"
_CODE = re.compile(r"\b[A-Z]\d{4}\b")
_LENGTH = struct.Struct(">I")


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing but answers may get between answers
    _limit()
    import jsonatapy

    compiled: list[Any] = []
    answers.write(READY)
    answers.flush()
    while (request := _read(sys.stdin.buffer)) is not None:
        kind, content = request[:1], request[1:]
        answer = _compile(jsonatapy, compiled, content) if kind == b"C" else _evaluate(jsonatapy, compiled, content)
        answers.write(_LENGTH.pack(len(answer)) + answer)
        answers.flush()


def _limit() -> None:
    """Take what this process may use, and leave ending it to the one that started it."""
    import signal

    for name in ("SIGINT", "SIGTERM"):
        # A terminal or a service manager stops all processes at once; this one ends with its input.
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    except (ImportError, OSError, ValueError):
        pass  # Windows has no such limit, macOS may refuse it: time is still limited


def _read(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    content = stream.read(length)
    return content if len(content) == length else None


def _compile(engine: Any, compiled: list[Any], content: bytes) -> bytes:
    try:
        made = engine.compile(
            content.decode(),
            timeout=EVALUATION_MILLISECONDS,
            max_stack_depth=DEPTH_MAX,
            max_sequence_length=SEQUENCE_MAX,
        )
    except BaseException as error:  # noqa: BLE001 - a panic of the engine is no Exception
        return _code(error)
    compiled.append(made)
    return b""


def _evaluate(engine: Any, compiled: list[Any], content: bytes) -> bytes:
    (count,) = struct.unpack_from(">H", content)
    numbers = struct.unpack_from(f">{count}I", content, 2)
    answers = bytearray()
    try:
        document = engine.JsonataData.from_json(content[2 + 4 * count :].decode())
    except BaseException:  # noqa: BLE001
        return b"".join(_part(b"e", b"input") for _ in numbers)
    for number in numbers:
        try:
            found = compiled[number].evaluate_data_to_json(document).encode("utf-8", "surrogatepass")
        except BaseException as error:  # noqa: BLE001
            answers += _part(b"e", _code(error))
        else:
            answers += _part(b"v", found) if len(found) <= OUTPUT_BYTES_MAX else _part(b"e", b"size")
    return bytes(answers)


def _part(kind: bytes, content: bytes) -> bytes:
    return kind + _LENGTH.pack(len(content)) + content


def _code(error: BaseException) -> bytes:
    """The engine's code of an error; its words may quote values."""
    found = _CODE.search(str(error)[:200])
    return found.group().encode() if found else b"unknown"


if __name__ == "__main__":
    main()
