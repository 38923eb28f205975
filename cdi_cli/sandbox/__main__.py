"""`python -m cdi_cli.sandbox`: serve a sandbox, print its URL on one line, run until stopped.

Every field of `SandboxOptions` is an option, those of nested options too (`--no-magento-bearer`); `--exit-with-stdin` ends
the process when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar, cast

from cdi_cli.sandbox.app import serve
from cdi_cli.sandbox.options import NESTED as _NESTED
from cdi_cli.sandbox.options import SandboxOptions

T = TypeVar("T")

_TYPES: dict[str, Callable[[str], Any]] = {"int": int, "int | None": int}


def parse(arguments: list[str] | None = None) -> tuple[SandboxOptions, bool]:
    """The options of a command line, and whether to end with standard input."""
    parser = argparse.ArgumentParser(prog="python -m cdi_cli.sandbox", description="Serve local simulators on loopback")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input is closed")
    _add(parser, SandboxOptions, "")
    given = vars(parser.parse_args(arguments))
    exit_with_stdin = given.pop("exit_with_stdin")
    return _options(SandboxOptions, given, ""), exit_with_stdin


def _add(parser: argparse.ArgumentParser, model: type[Any], prefix: str) -> None:
    """An option for each field; the fields of nested options are named with the outer field's name in front."""
    for setting in fields(model):
        name, flag = f"{prefix}{setting.name}", f"--{prefix}{setting.name}".replace("_", "-")
        if setting.name in _NESTED:
            _add(parser, _NESTED[setting.name], f"{name}_")
        elif setting.type == "bool":
            parser.add_argument(flag, dest=name, action=argparse.BooleanOptionalAction, default=setting.default)
        elif str(setting.type).startswith("tuple"):
            parser.add_argument(flag, dest=name, type=_words, default=setting.default, help="separated by spaces")
        else:
            kind = _TYPES.get(str(setting.type), str)
            parser.add_argument(flag, dest=name, type=kind, default=setting.default)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _options(model: type[T], given: dict[str, Any], prefix: str) -> T:
    values = {
        setting.name: _options(_NESTED[setting.name], given, f"{prefix}{setting.name}_")
        if setting.name in _NESTED
        else given[f"{prefix}{setting.name}"]
        for setting in fields(cast("type[Any]", model))
    }
    return model(**values)


async def _run(options: SandboxOptions, *, exit_with_stdin: bool) -> None:
    serving = asyncio.create_task(serve(options, _announce))
    if exit_with_stdin:
        closing = asyncio.create_task(_until_stdin_closes())
        await asyncio.wait({serving, closing}, return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if not serving.done():
            serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _until_stdin_closes() -> None:
    """Return once nobody holds the other end of standard input any more."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _protocol = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass
    transport.close()


def _announce(url: str) -> None:
    sys.stdout.write(url + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until Ctrl-C, or until standard input closes if that was asked for."""
    options, exit_with_stdin = parse()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(options, exit_with_stdin=exit_with_stdin))


if __name__ == "__main__":
    main()
