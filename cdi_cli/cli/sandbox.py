"""`cdi sandbox`: local simulators of the platforms, to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_PORT = 8137


def serve(
    orders: Annotated[int, typer.Option("--orders", min=0, max=2_000_000, help="Orders in the simulated shop")] = 5000,
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            help="Platform to make data of; repeatable; default commercetools. Others are made when first asked",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds make equal data")] = 1,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 for any free one")
    ] = DEFAULT_PORT,
    latency: Annotated[int, typer.Option("--latency", min=0, help="Milliseconds that every call waits")] = 0,
    poison: Annotated[int, typer.Option("--poison", min=0, help="Orders that cannot be read")] = 0,
    write_config: Annotated[
        Path | None,
        typer.Option("--write-config", help="Write a cdi.yaml for this sandbox to this new file", show_default=False),
    ] = None,
) -> None:
    """Run simulators of commercetools, Magento, Elastic Path, Segment, mParticle and Insider on this machine until Ctrl-C.

    Example: cdi sandbox serve --orders 20000 --write-config cdi.yaml
    """
    import asyncio
    import os

    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.errors import ConfigError
    from cdi_cli.sandbox import SandboxOptions, cdi_environment, cdi_yaml, spec_of
    from cdi_cli.sandbox import serve as serve_sandbox

    sources = _known_sources(source or ["commercetools"])
    options = SandboxOptions(sources=sources, orders=orders, seed=seed, port=port, latency_ms=latency, poison=poison)
    talk = output.talk()

    def on_ready(url: str) -> None:
        if write_config is not None:
            _write_new(write_config, cdi_yaml(url, options))
        say(output.data(), url)
        shops = " and ".join(f"{_article(spec_of(name).title)} with {orders:,} orders" for name in sources)
        say(talk, f"{shops} and a Segment are listening; Ctrl-C ends them")
        for name, value in cdi_environment(options).items():
            say(talk, f"export {name}={value}")
        if write_config is not None:
            say(talk, f"settings: {write_config}")

    say(talk, f"making {orders:,} orders ...")
    try:
        asyncio.run(serve_sandbox(options, on_ready))
    except KeyboardInterrupt:
        say(talk, "sandbox ended")
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else "it cannot be listened on"
        raise ConfigError(f"port {port}: {reason}", hint="name another with `--port`, or 0 for any free one") from None


def seed_(
    orders: Annotated[int, typer.Option("--orders", min=1, max=1_000_000, help="Orders to add")],
    source: Annotated[
        str | None,
        typer.Option("--source", help="Platform to add to; default the sandbox's first", show_default=False),
    ] = None,
    url: Annotated[str, typer.Option("--url", help="The running sandbox")] = f"http://127.0.0.1:{DEFAULT_PORT}",
) -> None:
    """Add orders, with what belongs to them, to a running sandbox.

    Example: cdi sandbox seed --orders 1000
    """
    import asyncio

    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say

    names = _known_sources([source] if source else [])
    total = asyncio.run(_seed(url.rstrip("/"), {"orders": orders, **({"source": names[0]} if names else {})}))
    say(output.data(), f"added {orders:,} orders, the shop has {total:,} now")


def _article(title: str) -> str:
    return f"{'an' if title[0] in 'AEIOU' else 'a'} {title}"


def _known_sources(names: list[str]) -> tuple[str, ...]:
    from cdi_cli.errors import ConfigError
    from cdi_cli.sandbox import source_names

    for name in names:
        if name not in source_names():
            raise ConfigError(f"there is no simulated `{name}`", hint=f"`--source` takes {' or '.join(source_names())}")
    return tuple(dict.fromkeys(names))


async def _seed(url: str, wanted: dict[str, int | str]) -> int:
    """Ask the sandbox for more orders; returns how many it then has."""
    import json

    from cdi_cli.errors import RefusedError
    from cdi_cli.http import HttpClient, RetryPolicy

    client = HttpClient(retry=RetryPolicy(attempts=1))
    try:
        response = await client.request(
            "POST",
            f"{url}/_sandbox/seed",
            what="sandbox",
            headers={"Content-Type": "application/json"},
            content=json.dumps(wanted).encode(),
        )
    finally:
        await client.close()
    if response.status != 200:
        raise RefusedError(
            f"the sandbox answered {response.status}",
            status=response.status,
            where=url,
            hint="is a `cdi sandbox serve` there?",
        )
    return int(response.json()["orders"])


def _write_new(path: Path, text: str) -> None:
    from cdi_cli.errors import ConfigError

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists", hint="name another file, or remove it") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
