"""`make bench`: CPU per order, events per second, memory, start-up time; each beside a floor measured in the same run.

`python -m benchmarks` runs everything (a few minutes), `python -m benchmarks quick` the short form. The result is printed as
Markdown and, with `--write`, put into `benchmarks/README.md` between its marks.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import scripts, stages
from cdi_cli.data import data_folder

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
EVENT_BYTES = {2300: 900, 17000: 2600}
"""About what one event of such an order takes in a Segment body: what the floor posts."""


@contextmanager
def server(orders: int, order_bytes: int, latency_ms: int) -> Iterator[str]:
    """The measuring server, in a process of its own; its URL."""
    command = [sys.executable, "-m", "benchmarks.server", str(orders), str(order_bytes), str(latency_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()
            process.wait(10)


def client(what: str, url: str, orders: int, workers: int, order_bytes: int) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    body = EVENT_BYTES[order_bytes] * 250
    command = [sys.executable, "-m", "benchmarks.clients", what, url, str(orders), str(workers), str(body)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def compare(orders: int, order_bytes: int, latency_ms: int, workers: int, rounds: int) -> dict[str, float]:
    """Medians of `rounds` pairs floor / cdi against one server; the first pair warms the server's pages and is dropped."""
    pairs: list[tuple[dict[str, Any], dict[str, Any]]] = []
    with server(orders, order_bytes, latency_ms) as url:
        for _ in range(rounds + 1):
            pairs.append(
                (
                    client("floor", url, orders, workers, order_bytes),
                    client("cdi", url, orders, workers, order_bytes),
                )
            )
    counted = pairs[1:]

    def median(index: int, key: str) -> float:
        return statistics.median(pair[index][key] for pair in counted)

    return {
        "floor_us": median(0, "cpu_seconds") / orders * 1e6,
        "cdi_us": median(1, "cpu_seconds") / orders * 1e6,
        "ratio": statistics.median(pair[1]["cpu_seconds"] / pair[0]["cpu_seconds"] for pair in counted),
        "floor_per_second": orders / median(0, "wall_seconds"),
        "cdi_per_second": orders / median(1, "wall_seconds"),
        "peak_mib": median(1, "peak_mib"),
    }


def start_up(arguments: list[str], rounds: int = 11) -> tuple[float, float]:
    """Median milliseconds of `python -m cdi_cli ...`, and of the same interpreter doing nothing."""

    def once(command: list[str]) -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return (time.perf_counter() - started) * 1000

    ours = [once([sys.executable, "-m", "cdi_cli", *arguments]) for _ in range(rounds)]
    floor = [once([sys.executable, "-c", "pass"]) for _ in range(rounds)]
    return statistics.median(ours), statistics.median(floor)


CASES = (
    ("17 KB orders, no latency", 20_000, 17_000, 0, 4),
    ("2.3 KB orders, no latency", 60_000, 2_300, 0, 4),
    ("2.3 KB orders, 50 ms on every call", 60_000, 2_300, 50, 16),
)
"""Name, orders, bytes per order, milliseconds per call, workers."""


def report(*, is_quick: bool) -> str:
    """All figures as Markdown."""
    scale = 10 if is_quick else 1
    head = f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, client and server on the same machine."
    parts = [[head], throughput(scale, rounds=1 if is_quick else 3), stage_table(), script_table(), memory(scale)]
    parts.append(start_up_table())
    parts.append(validate_table())
    return "\n\n".join("\n".join(lines) for lines in parts)


def throughput(scale: int, rounds: int) -> list[str]:
    """End to end, beside the floor."""
    columns = ("case", "floor us/order", "cdi us/order", "ratio", "floor orders/s", "cdi orders/s", "peak MiB")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, orders, order_bytes, latency_ms, workers in CASES:
        figures = compare(orders // scale, order_bytes, latency_ms, workers, rounds)
        lines.append(
            f"| {name} | {figures['floor_us']:.0f} | {figures['cdi_us']:.0f} | {figures['ratio']:.2f} | "
            f"{figures['floor_per_second']:,.0f} | {figures['cdi_per_second']:,.0f} | {figures['peak_mib']:.0f} |"
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def stage_table() -> list[str]:
    """Each stage alone."""
    with server(stages.ORDERS, 2_300, 0) as url:
        large, small = stages.measure(17_000, url), stages.measure(2_300, url)
    lines = ["| stage, us per order | 17 KB | 2.3 KB |", "|---|---|---|"]
    return [*lines, *(f"| {stage} | {large[stage]:.1f} | {small[stage]:.1f} |" for stage in large)]


def script_table() -> list[str]:
    """What JSONata in the plan costs, beside the mapping of the same run."""
    columns = ("Order Completed made by, us per event", "17 KB", "times", "2.3 KB", "times")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    with server(scripts.ORDERS, 2_300, 0) as url:
        large, small = scripts.measure(17_000, url), scripts.measure(2_300, url)
    for name in large:
        cells = (
            cell for figures in (large, small) for cell in (f"{figures[name]:.1f}", f"{figures[name] / floor(figures):.1f}")
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def floor(figures: dict[str, float]) -> float:
    """The figure that the others of a table are compared with: its first."""
    return next(iter(figures.values()))


def memory(scale: int) -> list[str]:
    """Peak memory of a small and of a ten times larger backfill."""
    lines = ["| backfill of orders (2.3 KB) | peak MiB | cdi us/order |", "|---|---|---|"]
    for orders in (100_000 // scale, 1_000_000 // scale):
        with server(orders, 2_300, 0) as url:
            one = client("cdi", url, orders, 4, 2_300)
        lines.append(f"| {orders:,} | {one['peak_mib']:.0f} | {one['cpu_seconds'] / orders * 1e6:.0f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def start_up_table() -> list[str]:
    """What starting the command costs."""
    lines = ["| start-up, ms | cdi | bare interpreter |", "|---|---|---|"]
    for arguments in (["--help"], ["--version"]):
        ours, floor = start_up(arguments)
        lines.append(f"| `cdi {arguments[0]}` | {ours:.0f} | {floor:.0f} |")
    return lines


VALIDATED = 10_000


def validate_table() -> list[str]:
    """What `cdi validate` of a file of events costs, the start of the program included; and of the shipped project."""
    lines = ["| `cdi validate`, whole process | seconds |", "|---|---|"]
    project = data_folder("examples") / "quickstart"
    expected = [
        message
        for file in sorted((project / "fixtures").glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
        for message in json.loads(line)["expected"]
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.jsonl"
        events = [json.dumps(expected[number % len(expected)]) for number in range(VALIDATED)]
        file.write_text("\n".join(events), encoding="utf-8")
        size = file.stat().st_size / 1e6
        for name, arguments in (
            (f"{VALIDATED:,} events ({size:.1f} MB)", [str(file)]),
            ("plan, mapping and six fixtures", []),
        ):
            command = [sys.executable, "-m", "cdi_cli", "validate", *arguments]
            seconds = []
            for _ in range(5):
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True, cwd=project)
                seconds.append(time.perf_counter() - started)
            lines.append(f"| {name} | {statistics.median(seconds):.2f} |")
    return lines


def main() -> None:
    """Measure, print, and write with `--write`."""
    text = report(is_quick="quick" in sys.argv)
    print(text)
    if "--write" in sys.argv:
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        README.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
