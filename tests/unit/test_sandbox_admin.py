"""Steering a sandbox from outside: the admin API, changes by name, the child process, and the settings text."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import yaml
from sandbox_client import SandboxClient

from cdi_cli.errors import StoppedError
from cdi_cli.sandbox import (
    Sandbox,
    SandboxOptions,
    SandboxProcess,
    SandboxThread,
    cdi_environment,
    cdi_yaml,
    source_names,
    spec_of,
)
from cdi_cli.sandbox.__main__ import parse
from cdi_cli.sandbox.http_server import Request
from cdi_cli.sandbox.magento.options import MagentoOptions
from cdi_cli.sandbox.process import command_line
from cdi_cli.sandbox.system import names

EVENT = {"type": "track", "event": "Order Completed", "userId": "u1", "messageId": "m1"}


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A small sandbox."""
    with SandboxThread(SandboxOptions(orders=40)) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[SandboxClient]:
    """A client of it."""
    with SandboxClient(sandbox.url) as client:
        yield client


def test_stats_count_what_happened(client: SandboxClient) -> None:
    """Records, requests, tokens, faults and messages are counted."""
    client.admin("POST", "faults", {"kind": "status", "match": "/orders"})
    client.api("/orders")
    client.batch([EVENT, EVENT, {**EVENT, "userId": 5}])

    stats = client.admin("GET", "stats").json()

    assert stats["records"]["orders"] == 40
    assert (stats["requests"], stats["tokens_issued"], stats["faults_fired"]) == (3, 1, 1)
    assert stats["segment"] == {"requests": 1, "applied": 1, "duplicates": 1, "dropped": {"id_not_string": 1}}


def test_applied_and_dropped_are_listed_as_lines(client: SandboxClient) -> None:
    """Applied messages come one a line and in slices; dropped ones with their codes."""
    client.batch([{**EVENT, "messageId": f"m{number}"} for number in range(5)] + [{"type": "track"}])

    lines = client.admin("GET", "segment/applied?offset=3&limit=10").body.splitlines()
    dropped = [json.loads(line) for line in client.admin("GET", "segment/dropped").body.splitlines()]

    assert [json.loads(line)["messageId"] for line in lines] == ["m3", "m4"]
    assert dropped == [{"code": "no_user_anon_id", "message": {"type": "track"}}]


def test_faults_are_set_listed_and_lifted(client: SandboxClient) -> None:
    """Faults can be added in a list, show their counters, and be lifted; a senseless one is 400."""
    added = client.admin("POST", "faults", [{"kind": "delay", "seconds": 0}, {"kind": "status", "status": 500}])
    client.api("/orders")
    fired = [fault["fired"] for fault in client.admin("GET", "faults").json()]
    client.admin("DELETE", "faults")

    assert added.json() == {"added": 2}
    assert fired == [1, 1]
    assert client.admin("GET", "faults").json() == []
    assert client.admin("POST", "faults", {"kind": "explode"}).status == 400
    assert client.admin("POST", "faults", {"sort": "status"}).status == 400


def test_mutations_by_name(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Orders are cancelled, refunded, added, changed and deleted; refunds leave the order as it was."""
    paid = [order for order in sandbox.shop.documents("orders") if "paymentInfo" in order]
    first, second = paid[0], paid[1]
    changes = [
        {"do": "cancel", "order": first["id"]},
        {"do": "refund", "order": second["id"], "amount": 123},
        {"do": "add", "kind": "customers", "document": {"email": "new@example.com"}},
        {"do": "update", "kind": "orders", "id": first["id"], "changes": {"locale": None, "country": "AT"}},
        {"do": "delete", "kind": "orders", "id": paid[2]["id"]},
    ]

    answers = client.admin("POST", "commercetools/mutate", changes).json()

    cancelled = sandbox.shop.document("orders", first["id"])
    assert (cancelled["orderState"], cancelled["country"], cancelled.get("locale")) == ("Cancelled", "AT", None)
    assert cancelled["version"] == first["version"] + 2
    assert sandbox.shop.document("orders", second["id"]) == second
    assert answers[1]["transactions"][-1]["amount"]["centAmount"] == 123
    assert sandbox.shop.document("customers", answers[2]["id"])["version"] == 1
    assert sandbox.shop.count("orders") == 39


def test_a_deleted_customer_leaves_a_message_unless_erased() -> None:
    """`CustomerDeleted` is told where messages are kept; with `dataErasure` every message about the customer is gone."""
    with SandboxThread(SandboxOptions(orders=40, messages=True)) as sandbox, SandboxClient(sandbox.url) as client:
        kept, erased = sandbox.shop.documents("customers")[-2:]
        changes = [
            {"do": "delete", "kind": "customers", "id": kept["id"]},
            {"do": "delete", "kind": "customers", "id": erased["id"], "dataErasure": True},
        ]
        assert client.admin("POST", "commercetools/mutate", changes).status == 200

        about = {record["id"]: [] for record in (kept, erased)}
        for message in sandbox.shop.documents("messages"):
            about.get(message["resource"]["id"], []).append(message)
        (told,) = [message for message in about[kept["id"]] if message["type"] == "CustomerDeleted"]

        assert (told["email"], told["resourceVersion"]) == (kept["email"], kept["version"] + 1)
        assert about[erased["id"]] == []
        assert {kept["id"], erased["id"]}.isdisjoint(each["id"] for each in sandbox.shop.documents("customers"))


def test_without_messages_a_deleted_customer_vanishes(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A project that keeps no messages does not tell."""
    customer = sandbox.shop.documents("customers")[0]
    client.admin("POST", "commercetools/mutate", {"do": "delete", "kind": "customers", "id": customer["id"]})

    assert sandbox.shop.documents("messages") == []
    assert sandbox.shop.get("customers", customer["id"]) is None


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"do": "explode"},
        {"do": "update", "kind": "nonsense", "id": "x", "changes": {}},
        {"do": "delete", "kind": "orders", "id": "11111111-1111-4111-8111-111111111111"},
        {"do": "refund", "order": "11111111-1111-4111-8111-111111111111"},
        {"do": "add", "kind": "orders", "document": {"id": "not-a-uuid"}},
        {"do": "add", "kind": "orders"},
    ],
)
def test_senseless_mutation_is_refused(client: SandboxClient, change: dict[str, object]) -> None:
    """A change that cannot be carried out is 400 with a reason."""
    answer = client.admin("POST", "commercetools/mutate", change)

    assert answer.status == 400
    assert answer.json()["message"]


def test_held_writes_are_released_by_name(sandbox: SandboxThread, client: SandboxClient) -> None:
    """`hold` keeps a write back until `release`."""
    order = sandbox.shop.documents("orders")[0]
    client.admin("POST", "commercetools/mutate", {"do": "cancel", "order": order["id"], "hold": True})
    before = sandbox.shop.document("orders", order["id"])
    released = client.admin("POST", "commercetools/mutate", {"do": "release"}).json()

    assert before == order
    assert released == [{"released": 1}]
    assert sandbox.shop.document("orders", order["id"])["orderState"] == "Cancelled"


def test_seed_adds_more_orders(client: SandboxClient) -> None:
    """More orders come with payments and carts, all with new ids."""
    before = client.admin("GET", "stats").json()["records"]

    after = client.admin("POST", "seed", {"orders": 25}).json()

    assert after["orders"] == before["orders"] + 25
    assert after["payments"] > before["payments"]
    assert len(list(client.walk("orders", limit=50))) == 65
    assert client.admin("POST", "seed", {"orders": 0}).status == 400


def test_clock_rules_tokens_and_unknown_routes(sandbox: SandboxThread, client: SandboxClient) -> None:
    """The clock moves, the workspace's rules change, tokens end; an unknown route is 404, a bad body 400."""
    client.token()
    client.admin("POST", "segment/rules", {"suppressed_users": ["u1"]})
    client.batch([EVENT])

    assert client.admin("POST", "clock", {"advance_seconds": 86_400}).json()["now"] > sandbox.clock.instant()[:10]
    assert [entry[0] for entry in sandbox.segment.dropped] == ["suppressed_user"]
    assert client.admin("POST", "commercetools/revoke-tokens").json() == {"revoked": 1}
    assert client.admin("POST", "segment/clear").json() == {"cleared": True}
    assert len(client.admin("GET", "requests").json()) == 2
    assert client.admin("GET", "nonsense").status == 404
    assert client.admin("POST", "clock", "text").status == 400


def test_settings_text_points_at_the_sandbox() -> None:
    """The settings are YAML that names this sandbox's URLs, and its secrets only as references."""
    text = cdi_yaml("http://127.0.0.1:7777")
    settings = yaml.safe_load(text)

    shop, segment = settings["sources"]["shop"], settings["destinations"]["segment"]
    assert shop["api_url"] == "http://127.0.0.1:7777/commercetools/api"
    assert shop["auth_url"] == "http://127.0.0.1:7777/commercetools/auth"
    assert segment["endpoint"] == "http://127.0.0.1:7777/segment"
    references = {shop["client_secret"], segment["write_key"]}
    assert references == {f"${{{name}}}" for name in cdi_environment()}
    assert not any(value in text for value in cdi_environment().values())


def test_settings_text_of_another_platform() -> None:
    """The first source decides what the settings read; its secret is a reference too."""
    options = SandboxOptions(sources=("magento", "commercetools"))
    text = cdi_yaml("http://127.0.0.1:7777", options)
    settings = yaml.safe_load(text)

    assert settings["sources"]["shop"]["type"] == "magento"
    assert settings["sources"]["shop"]["base_url"] == "http://127.0.0.1:7777/magento"
    assert settings["pipelines"]["main"]["consent"]["Advertising"] == {"field": "extension_attributes.is_subscribed"}
    references = {settings["sources"]["shop"]["access_token"], settings["destinations"]["segment"]["write_key"]}
    assert references == {f"${{{name}}}" for name in cdi_environment(options)}
    assert not any(value in text for value in cdi_environment(options).values())


@pytest.mark.parametrize("name", names())
def test_every_system_keeps_the_contract(name: str) -> None:
    """It is found by its folder, opens with an empty shop, answers, fails in its own words, and has stats and routes."""
    spec = spec_of(name)
    request = Request("GET", f"/{name}/no/such/path", "", {}, b"")
    sandbox = Sandbox(SandboxOptions(orders=0, sources=()))
    assert sandbox.opened() == {}

    system = sandbox.system(name)

    assert (spec.name, bool(spec.title)) == (name, True)
    assert sandbox.system_of(request.path) is system
    assert 400 <= system.handle(request).status < 500
    assert {status: system.failed(request, status).status for status in (429, 500, 503)} == {429: 429, 500: 500, 503: 503}
    assert isinstance(system.stats(), dict)
    assert all(method in ("GET", "POST") for method, _path in system.admin_routes())
    assert yaml.safe_load(spec.settings("http://127.0.0.1:1", sandbox.options))["type"] == name
    assert (name in source_names()) is spec.is_source
    if spec.is_source:
        assert system.more_orders(2)["orders"] == 2


@pytest.mark.parametrize("name", ["", "..", "seed", "nothing"])
def test_a_system_that_there_is_not(name: str) -> None:
    """It is refused with the names of those there are, and a path of it is no system's."""
    with pytest.raises(ValueError, match="commercetools, elasticpath, insider, magento, mparticle, segment"):
        spec_of(name)
    assert Sandbox(SandboxOptions(orders=0, sources=())).system_of(f"/{name}/x") is None


def test_command_line_round_trip() -> None:
    """Options survive the way to a child process."""
    options = SandboxOptions(orders=7, poison=1, messages=True, keep_messages=False, scopes=("view_orders", "view_stores"))

    nested = SandboxOptions(sources=("magento",), magento=MagentoOptions(bearer=False, acl=("a::b",), access_token="x y"))

    assert parse([*command_line(options), "--exit-with-stdin"]) == (options, True)
    assert parse(command_line(nested)) == (nested, False)
    assert parse([]) == (SandboxOptions(), False)


def test_process_serves_and_ends_with_its_parent() -> None:
    """The child serves what its options say and is gone once its parent is killed."""
    with SandboxProcess(SandboxOptions(orders=5)) as sandbox, SandboxClient(sandbox.url) as client:
        assert client.admin("GET", "stats").json()["records"]["orders"] == 5
    program = (
        "import time\nfrom cdi_cli.sandbox import SandboxOptions, SandboxProcess\n"
        "print(SandboxProcess(SandboxOptions(orders=0)).start(), flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().decode().strip()
        with SandboxClient(url) as client:
            assert client.admin("GET", "health").status == 200
        parent.kill()
    assert _is_gone(url)


def _is_gone(url: str) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            with SandboxClient(url) as client:
                client.admin("GET", "health")
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_process_that_cannot_start_says_so() -> None:
    """A port that is taken ends the child at once, and the parent with an error."""
    with SandboxThread(SandboxOptions(orders=0)) as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        with pytest.raises(StoppedError, match="ended at once"):
            SandboxProcess(SandboxOptions(orders=0, port=port)).start()
        with pytest.raises(OSError, match="in use"), SandboxThread(SandboxOptions(orders=0, port=port)):
            pass
