"""What is measured, each in a process of its own that prints one JSON line: wall and CPU seconds, peak memory, events.

`floor`: fetch the pages and post bodies of the same size, with the same HTTP client, parsing nothing.
`cdi`: the whole backfill - pages, entities, mapping, check, gzip, ledger, books - with the same pages.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.orders import instant

PAGE = 500
CONFIG = """\
workspace: bench
sources:
  shop:
    type: commercetools
    project_key: bench
    api_url: "{url}/api"
    auth_url: "{url}/auth"
    client_id: bench
    client_secret: "${{BENCH_SECRET}}"
    lookups: {{product_categories: false, discount_codes: false, customer_groups: false}}
destinations:
  segment: {{type: segment, endpoint: "{url}", write_key: "${{BENCH_SECRET}}", in_flight: {in_flight}}}
pipelines:
  main: {{source: shop, destinations: [segment], streams: [orders], workers: {workers}}}
"""


def measured(events: int, started: tuple[float, float]) -> str:
    """The JSON line of one measurement."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return json.dumps(
        {
            "events": events,
            "wall_seconds": time.perf_counter() - started[0],
            "cpu_seconds": time.process_time() - started[1],
            "peak_mib": usage.ru_maxrss / 1024,
        }
    )


def begin() -> tuple[float, float]:
    """Wall and CPU clocks now."""
    return time.perf_counter(), time.process_time()


async def floor(url: str, orders: int, body_bytes: int, workers: int) -> str:
    """Fetch every page and post as many bytes as the events take."""
    from cdi_cli.http import HttpClient, HttpLimits, gzip

    client = HttpClient(limits=HttpLimits(decoded_bytes_max=64 * 2**20))
    body = gzip(os.urandom(body_bytes // 6) * 6)
    pages = list(range(0, orders, PAGE))
    started = begin()

    async def worker() -> None:
        while pages:
            start = pages.pop()
            where = f'createdAt >= "{instant(start)}" and createdAt < "{instant(min(start + PAGE, orders))}"'
            params = [("where", where), ("limit", str(PAGE)), ("withTotal", "false")]
            await client.request("GET", f"{url}/api/bench/orders", what="page", params=params)
            for _ in range(2):
                await client.request("POST", f"{url}/v1/batch", what="batch", content=body)

    await asyncio.gather(*(worker() for _ in range(workers)))
    await client.close()
    return measured(orders, started)


async def cdi(url: str, orders: int, workers: int) -> str:
    """A whole backfill through the public pipeline, paced by nothing but itself."""
    from cdi_cli.pipeline.backfill import Request, run_backfill
    from cdi_cli.pipeline.opening import open_pipeline
    from cdi_cli.pipeline.progress import Progress
    from cdi_cli.pipeline.project import load_project
    from cdi_cli.pipeline.stop import Stop
    from cdi_cli.state import open_store

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cdi.yaml"
        path.write_text(CONFIG.format(url=url, workers=workers, in_flight=max(4, workers)), encoding="utf-8")
        os.environ["BENCH_SECRET"] = "bench-secret"
        project = load_project(path)
        with open_store(project.settings.state) as store:
            started = begin()
            async with open_pipeline(project, "main", "segment") as opened:
                request = Request(instant(0), instant(orders), "bench", workers=workers, rate=1e9)  # type: ignore[arg-type]
                report, error = await run_backfill(opened, store, request, Progress(), Stop())
            line = measured(report.books.total("delivered"), started)
        if error is not None or report.books.errors or report.books.total("delivered") != orders:
            raise SystemExit(f"the books do not close: {error} {report.books}")
    return line


def main() -> None:
    """`python -m benchmarks.clients floor|cdi URL ORDERS WORKERS [BODY_BYTES]`."""
    what, url, orders, workers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    gc.collect()
    if what == "floor":
        print(asyncio.run(floor(url, orders, int(sys.argv[5]), workers)))
    else:
        print(asyncio.run(cdi(url, orders, workers)))


if __name__ == "__main__":
    main()
