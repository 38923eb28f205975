"""`cdi sandbox serve` and `cdi sandbox seed`: simulators to try things on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sandbox_client import SandboxClient

CDI = (sys.executable, "-m", "cdi_cli")


def cdi(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` to its end."""
    return subprocess.run(
        (*CDI, *arguments),
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A sandbox on a free port, and its URL; killed at the end if it still runs."""
    process = subprocess.Popen(
        (*CDI, "sandbox", "serve", "--port", "0", *arguments),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def test_serve_and_backfill(tmp_path: Path) -> None:
    """The URL is all of standard output; the settings it writes work at once with the variables it names; Ctrl-C ends it."""
    with serving(tmp_path, "--orders", "30", "--write-config", "cdi.yaml") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        exports = {"CDI_SANDBOX_SECRET": "sandbox-secret", "CDI_SANDBOX_WRITE_KEY": "sandbox-write-key"}

        run = cdi(tmp_path, "backfill", "--since", "2020-01-01T00:00:00Z", "--rate", "100000", **exports)

        assert run.returncode == 0, run.stderr
        assert "orders" in run.stdout
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "")
        for name, value in exports.items():
            assert f"export {name}={value}\n" in err
        assert err.endswith("sandbox ended\n")


def test_seed_adds_orders(tmp_path: Path) -> None:
    """`cdi sandbox seed` adds to a running sandbox, and says how many there are then."""
    with serving(tmp_path, "--orders", "10") as (_, url):
        run = cdi(tmp_path, "sandbox", "seed", "--orders", "7", "--url", url)

        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout == "added 7 orders, the shop has 17 now\n"
        with SandboxClient(url) as client:
            assert client.admin("GET", "stats").json()["records"]["orders"] == 17


def test_serve_and_check_magento(tmp_path: Path) -> None:
    """`--source magento` makes that shop and its settings, which pass every check; more orders go there."""
    with serving(tmp_path, "--source", "magento", "--orders", "30", "--write-config", "cdi.yaml") as (_, url):
        exports = {
            "CDI_SANDBOX_MAGENTO_TOKEN": "sandbox-access-token",
            "CDI_SANDBOX_WRITE_KEY": "sandbox-write-key",
        }

        run = cdi(tmp_path, "check", **exports)
        seeded = cdi(tmp_path, "sandbox", "seed", "--orders", "7", "--url", url)

        assert run.returncode == 0, run.stdout
        assert "stream orders" in run.stdout
        assert seeded.stdout == "added 7 orders, the shop has 37 now\n"


def test_serve_and_check_elastic_path(tmp_path: Path) -> None:
    """`--source elasticpath` makes that store and its settings, which pass every check; more orders go there."""
    arguments = ("--source", "elasticpath", "--orders", "30", "--write-config", "cdi.yaml")
    with serving(tmp_path, *arguments) as (process, url):
        exports = {
            "CDI_SANDBOX_ELASTICPATH_SECRET": "sandbox-ep-secret",
            "CDI_SANDBOX_WRITE_KEY": "sandbox-write-key",
        }

        run = cdi(tmp_path, "check", **exports)
        seeded = cdi(tmp_path, "sandbox", "seed", "--orders", "7", "--url", url)
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=20)

        assert run.returncode == 0, run.stdout
        assert "stream orders" in run.stdout
        assert seeded.stdout == "added 7 orders, the shop has 37 now\n"
        assert "an Elastic Path store with 30 orders and a Segment are listening" in err


def test_two_platforms_at_once(tmp_path: Path) -> None:
    """`--source` is repeatable; orders can be added to either; what there is no simulator of is refused by name."""
    with serving(tmp_path, "--source", "magento", "--source", "commercetools", "--orders", "10") as (_, url):
        run = cdi(tmp_path, "sandbox", "seed", "--orders", "2", "--source", "commercetools", "--url", url)
        assert run.stdout == "added 2 orders, the shop has 12 now\n"
        with SandboxClient(url) as client:
            stats = client.admin("GET", "stats").json()
            assert stats["records"]["orders"] == 10
            assert stats["commercetools"]["records"]["orders"] == 12

    refused = cdi(tmp_path, "sandbox", "serve", "--source", "shopware")
    assert refused.returncode == 2
    assert (
        "there is no simulated `shopware`\n  hint: `--source` takes commercetools or elasticpath or magento\n"
        in refused.stderr
    )


def test_equal_seeds_make_equal_shops(tmp_path: Path) -> None:
    """`--seed` decides the data."""
    totals = []
    for seed in ("5", "5", "6"):
        with serving(tmp_path, "--orders", "10", "--seed", seed) as (_, url), SandboxClient(url) as client:
            totals.append([one["totalPrice"]["centAmount"] for one in client.page("orders", ("limit", "10"))])

    assert totals[0] == totals[1] != totals[2]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A settings file that exists stays as it is; exit code 2."""
    (tmp_path / "cdi.yaml").write_text("mine")

    run = cdi(tmp_path, "sandbox", "serve", "--port", "0", "--orders", "1", "--write-config", "cdi.yaml")

    assert (run.returncode, run.stdout) == (2, "")
    assert "error: cdi.yaml exists\n  hint: name another file, or remove it\n" in run.stderr
    assert (tmp_path / "cdi.yaml").read_text() == "mine"


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """Two sandboxes on one port: the second says so and ends, without a traceback."""
    with serving(tmp_path, "--orders", "1") as (_, url):
        port = url.rpartition(":")[2]

        run = cdi(tmp_path, "sandbox", "serve", "--port", port, "--orders", "1")

        assert run.returncode == 2
        assert port in run.stderr
        assert "Traceback" not in run.stderr
        assert "this is a fault in cdi" not in run.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://shop.example.com", "nonsense"])
def test_seeding_what_is_not_there(tmp_path: Path, url: str) -> None:
    """No sandbox at that address: an error with a hint, at once."""
    run = cdi(tmp_path, "sandbox", "seed", "--orders", "1", "--url", url)

    assert run.returncode in (2, 3)
    assert run.stderr.startswith("error: ")
    assert "\n  hint: " in run.stderr
    assert "this is a fault in cdi" not in run.stderr
