"""Keys, scopes, addresses, settings and clocks that are wrong: the thing and what to do are named, nothing is lost."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import canary
import pytest
from cli_project import IMPATIENT, WHOLE, CliProject
from shop_oracle import reconcile

from cdi_cli.data import data_folder
from cdi_cli.sandbox import Fault, SandboxThread

EVERYTHING = (
    *("view_orders", "view_customers", "view_customer_groups", "view_products", "view_payments"),
    *("view_discount_codes", "view_project_settings"),
)


@pytest.fixture
def sandbox() -> object:
    """A sandbox with 61 orders."""
    with SandboxThread(canary.options()) as made:
        yield made


def test_a_wrong_client_secret(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Exit code 3 names client and settings to check, never the secret; with the right one all arrives."""
    with CliProject(tmp_path, sandbox) as project:
        run = project.backfill(env={"CDI_SANDBOX_SECRET": canary.CLIENT_SECRET + "-wrong"})

        assert (run.code, run.out) == (3, "")
        assert run.err == (
            "error: commercetools does not accept API client `sandbox-client` or its secret (invalid_client)\n"
            f"  --> POST {sandbox.url}/commercetools/auth/oauth/token\n"
            "  hint: check `client_id`, `client_secret` and `region`: clients are known in their own region only\n"
        )
        assert sandbox.segment.requests == []
        assert project.backfill().code == 0
        reconcile(sandbox)


def test_a_secret_that_is_not_set(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Exit code 2 names the variable before anything is asked for."""
    with CliProject(tmp_path, sandbox) as project:
        run = project.backfill(env={"CDI_SANDBOX_WRITE_KEY": None})

        assert (run.code, run.out) == (2, "")
        assert run.err == (
            "error: environment variable CDI_SANDBOX_WRITE_KEY is not set\n  hint: export CDI_SANDBOX_WRITE_KEY=...\n"
        )
        assert sandbox.requests == []


def test_a_secret_written_into_the_settings(sandbox: SandboxThread, tmp_path: Path) -> None:
    """A literal secret is refused with its place and not repeated."""
    with CliProject(tmp_path, sandbox) as project:
        text = project.settings.read_text()
        project.settings.write_text(text.replace('"${CDI_SANDBOX_WRITE_KEY}"', "qVx7Lm2Zt9Kd4Rw8Bn3Hc6Yp"))

        run = project.backfill()

        assert (run.code, run.out) == (2, "")
        assert "--> cdi.yaml:" in run.err
        assert "write `${SEGMENT_WRITE_KEY}` here" in run.err
        assert "qVx7" not in run.err


@pytest.mark.parametrize(
    ("missing", "stream", "scope"),
    [("view_customers", "customers", "view_customers:sandbox"), ("view_orders", "orders", "view_orders:sandbox")],
)
def test_a_missing_scope_skips_its_stream(tmp_path: Path, missing: str, stream: str, scope: str) -> None:
    """The streams that may be read are read; the other is named with its scope, exit code 3; granted, the rest follows."""
    scopes = tuple(name for name in EVERYTHING if name != missing)
    source = "page_size: 25\nlookups: {customer_consent: false}"
    with SandboxThread(canary.options(scopes=scopes)) as sandbox, CliProject(tmp_path, sandbox, source=source) as project:
        run = project.backfill("--json")

        assert run.code == 3
        summary = run.json()
        assert (summary["status"], summary["books"]["close"]) == ("stopped", True)
        assert any(problem.startswith(f"{stream}: ") and f"`{scope}`" in problem for problem in summary["problems"])
        assert "resume with: cdi backfill --pipeline main --resume\n" in run.err
        kinds = {message["type"] for message in sandbox.segment.applied}
        assert kinds == ({"group", "track"} if stream == "customers" else {"identify", "track"})

        sandbox.tokens.client_scopes = frozenset({"manage_project:sandbox"})
        again = project.run("backfill", "--resume", "--rate", "100000")
        assert again.code == 0, again.err
        reconcile(sandbox)
        assert sandbox.segment.duplicates == []


def test_a_missing_scope_of_a_look_up(tmp_path: Path) -> None:
    """A permission that is only needed for names stops its stream, unless the settings do without; both ways are told."""
    scopes = tuple(name for name in EVERYTHING if name not in ("view_customer_groups", "view_customers"))
    with SandboxThread(canary.options(scopes=scopes)) as sandbox, CliProject(tmp_path, sandbox) as project:
        for scope, lookups in (
            ("view_customers", "customer_consent: false"),
            ("view_customer_groups", "customer_consent: false, customer_groups: false"),
        ):
            run = project.backfill("--stream", "orders", "--json", "--restart")

            assert (run.code, run.json()["books"]["close"]) == (3, True)
            assert f"lacks `{scope}:sandbox`" in run.err
            assert f"set `lookups.{lookups.rpartition(', ')[2]}`" in run.err
            project.source = f"page_size: 25\nlookups: {{{lookups}}}"
            project.write_settings()
        again = project.summary("--stream", "orders", "--restart")
        assert again["streams"]["orders"]["pending"] == 0
        completed = [one for one in sandbox.segment.applied if one.get("event") == "Order Completed"]
        assert len(completed) == sandbox.shop.count("orders")


def test_a_wrong_write_key_cannot_be_noticed(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Segment answers 200 to any key and drops everything: the run believes it, which is why `cdi check` says so."""
    with CliProject(tmp_path, sandbox) as project:
        wrong = {"CDI_SANDBOX_WRITE_KEY": canary.WRITE_KEY + "-wrong"}

        assert project.backfill(env=wrong).code == 0
        assert {code for code, _ in sandbox.segment.dropped} == {"unknown_source"}

        check = project.run("check", env={**wrong, "COLUMNS": "200"})
        assert "present, but not confirmed: Segment answers 200 to any key" in check.out


def dead_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_nobody_listens_where_the_shop_should_be(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Exit code 3 after the retries, naming host and reason and that the command can be repeated."""
    with CliProject(tmp_path, sandbox) as project:
        text = project.settings.read_text()
        project.settings.write_text(text.replace(sandbox.url, f"http://127.0.0.1:{dead_port()}"))

        run = project.backfill(command=IMPATIENT)

        assert (run.code, run.out) == (3, "")
        assert run.err.startswith(
            "error: commercetools token: no connection to `127.0.0.1`: connection refused (3 attempts in 0 s)\n"
            "  --> POST 127.0.0.1\n"
        )
        assert "run the same command again" in run.err
        project.settings.write_text(text)
        assert project.backfill().code == 0
        reconcile(sandbox)


def test_segment_goes_away_in_the_middle(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Retries over: exit code 3, the books close with what is pending, the resume command sends the rest once."""
    with CliProject(tmp_path, sandbox) as project:
        fault = sandbox.faults.add(Fault(kind="reset_before_body", match="/segment/", skip=3, times=None))

        run = project.backfill("--json", command=IMPATIENT)

        assert fault.fired >= 3
        assert run.code == 3
        summary = run.json()
        assert (summary["status"], summary["books"]) == ("stopped", {"close": True, "errors": []})
        assert sum(line["pending"] for line in summary["streams"].values()) > 0
        assert "error: Segment batch: the connection broke before the answer was complete (3 attempts in" in run.err
        assert "resume with: cdi backfill --pipeline main --resume\n" in run.err
        sandbox.faults.clear()
        assert project.run("backfill", "--resume", "--rate", "100000").code == 0
        reconcile(sandbox)
        assert sandbox.segment.duplicates == []


@pytest.mark.parametrize(("seconds", "words"), [(7200, "120 minutes behind"), (-7200, "120 minutes ahead of")])
def test_a_clock_two_hours_off(sandbox: SandboxThread, tmp_path: Path, seconds: int, words: str) -> None:
    """A wrong clock would move every event's time at Segment: refused before anything is sent, exit code 2."""
    with CliProject(tmp_path, sandbox) as project:
        sandbox.clock.advance(seconds)

        run = project.backfill()

        assert (run.code, run.out) == (2, "")
        assert run.err == (
            f"error: this machine's clock is {words} the source's\n"
            "  hint: set the clock (NTP); destinations shift every event's time by this error\n"
        )
        assert sandbox.segment.requests == []


def test_a_clock_that_is_off_is_noticed_on_resume(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Going on with a job asks for the clocks again: it may have gone wrong since."""
    with CliProject(tmp_path, sandbox) as project:
        project.backfill("--limit", "30")
        sent = len(sandbox.segment.requests)
        sandbox.clock.advance(7200)

        run = project.run("backfill", "--resume")

        assert run.code == 2
        assert "clock is 120 minutes behind the source's" in run.err
        assert len(sandbox.segment.requests) == sent


def test_an_unknown_region(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Exit code 2 with the place, the regions there are and the one that was meant."""
    with CliProject(tmp_path, sandbox) as project:
        lines = [line for line in project.settings.read_text().splitlines() if "auth_url" not in line]
        project.settings.write_text(
            "\n".join(lines).replace(f"api_url: {sandbox.url}/commercetools/api", "region: europe-west1")
        )

        run = project.backfill()

        assert (run.code, run.out) == (2, "")
        assert "--> cdi.yaml:" in run.err
        assert "europe-west1.gcp" in run.err
        assert "australia-southeast1.gcp" in run.err
        assert "did you mean `europe-west1.gcp`?" in run.err


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("events/order_completed.yaml", "from: order.", "from: ordr.", "ordr"),
        ("events/order_completed.yaml", "type: number", "type: nubmer", "nubmer"),
        ("events/order_refunded.yaml", "properties:", "propertis:", "propertis"),
        ("plan.yaml", "version:", "versoin:", "versoin"),
        ("events/identify.yaml", "from: customer.email", "from: record.password", "password"),
    ],
)
def test_a_plan_with_a_typo(sandbox: SandboxThread, tmp_path: Path, file: str, old: str, new: str, words: str) -> None:
    """Exit code 2 with file and line of the mistake; nothing was asked for or sent."""
    with CliProject(tmp_path, sandbox, top="plan: tracking_plan") as project:
        plan = project.place / "tracking_plan"
        shutil.copytree(data_folder("tracking_plan"), plan)
        text = (plan / file).read_text()
        assert old in text
        (plan / file).write_text(text.replace(old, new, 1))
        line = text[: text.index(old)].count("\n") + 1

        run = project.run("backfill", *WHOLE)

        assert (run.code, run.out) == (2, "")
        assert f"--> tracking_plan/{file}:{line}:" in run.err
        assert words in run.err
        assert "Traceback" not in run.err
        assert sandbox.segment.requests == []


def test_every_mistake_of_the_settings_at_once(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Three mistakes in one file are three errors, each with its line, then their number."""
    with CliProject(tmp_path, sandbox) as project:
        text = project.settings.read_text()
        text = (
            text.replace("page_size: 25", "page_size: many")
            .replace("workspace:", "worksapce:")
            .replace("[segment]", "[segmnet]")
        )
        project.settings.write_text(text)

        run = project.backfill()

        assert run.code == 2
        assert run.err.count("\n  --> cdi.yaml:") == 3 + run.err.count("is missing")
        assert "did you mean `workspace`?" in run.err
        assert "did you mean `segment`?" in run.err
        assert run.err.rstrip().endswith("mistakes, nothing was started")


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"a: [", b"- 1\n- 2\n", b"x: !!python/object:os.system ls\n"])
def test_a_settings_file_that_is_none(sandbox: SandboxThread, tmp_path: Path, content: bytes) -> None:
    """Empty, binary, broken or hostile YAML: exit code 2, named with its file, no traceback."""
    with CliProject(tmp_path, sandbox) as project:
        project.settings.write_bytes(content)

        run = project.backfill()

        assert (run.code, run.out) == (2, "")
        assert "cdi.yaml" in run.err
        assert "something unexpected" not in run.err


def test_no_settings_file_at_all(sandbox: SandboxThread, tmp_path: Path) -> None:
    """Exit code 2 and how to make one."""
    with CliProject(tmp_path, sandbox) as project:
        project.settings.unlink()

        run = project.backfill()

        assert (run.code, run.out) == (2, "")
        assert "cdi init" in run.err
