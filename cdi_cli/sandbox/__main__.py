"""`python -m cdi_cli.sandbox`: serve a sandbox, print its URL on one line, run until stopped.

Every field of `SandboxOptions` is an option; `--exit-with-stdin` ends the process when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from dataclasses import fields

from cdi_cli.sandbox.app import serve
from cdi_cli.sandbox.options import SandboxOptions

_TYPES = {"int": int, "int | None": int}


def parse(arguments: list[str] | None = None) -> tuple[SandboxOptions, bool]:
    """The options of a command line, and whether to end with standard input."""
    parser = argparse.ArgumentParser(prog="python -m cdi_cli.sandbox", description="Serve local simulators on loopback")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input is closed")
    for setting in fields(SandboxOptions):
        flag = f"--{setting.name.replace('_', '-')}"
        if setting.type == "bool":
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=setting.default)
        elif setting.name == "scopes":
            parser.add_argument(flag, type=lambda text: tuple(text.split()), default=None, help="separated by spaces")
        else:
            parser.add_argument(flag, type=_TYPES.get(str(setting.type), str), default=setting.default)
    given = vars(parser.parse_args(arguments))
    exit_with_stdin = given.pop("exit_with_stdin")
    return SandboxOptions(**given), exit_with_stdin


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
