"""The world of a life: one shop, two destinations, a simulated clock, and `cdi` run as cron and people run it.

Time stands still but for what `advance` adds (and the real seconds that pass): days go by in moments. Every run is the real
command in a process of its own. What a run may and may not end with is asserted here, what was delivered by the `oracle`.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cdi_cli.clock import shift
from cdi_cli.data import data_folder
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread, cdi_environment
from life.book import KINDS, Book
from life.client import Ended, Zygote
from life.doubts import APPLIED, BATCH_EVENTS, Doubts
from life.keeper import Keeper
from life.oracle import Terms, Verdict, judge

SYNC = ("sync", "--json")
SETTLE_SECONDS, OVERLAP_SECONDS = 60, 300
PLAN = data_folder("tracking_plan")
ALLOWED = "enum: [refund, chargeback]"
HISTORY_DAYS = 300
"""How much of the shop's two years is backfilled: older orders are never news by themselves."""
KEEP_DAYS = 400
"""How old an order may be for its ledger entries to be kept."""
STREAMS = "deletions, customers, carts, orders, payments"
SETTINGS = """\
workspace: life
{plan}ledger: {{keep: {keep}d}}
sources:
  shop:
    type: commercetools
    project_key: sandbox
    api_url: {url}/commercetools/api
    auth_url: {url}/commercetools/auth
    client_id: sandbox-client
    client_secret: "${{CDI_SANDBOX_SECRET}}"
    page_size: 25
destinations:
  first: {{type: segment, endpoint: {url}/segment, write_key: "${{CDI_SANDBOX_WRITE_KEY}}", batch_events: 20, {pace}}}
  second: {{type: segment, endpoint: {other}/segment, write_key: "${{CDI_SANDBOX_WRITE_KEY}}", batch_events: 20, {pace}}}
pipelines:
  main:
    source: shop
    destinations: [first, second]
    streams: [{streams}]
    sync: {{settle: {settle}s, overlap: {overlap}s}}
    consent:
      Advertising: {{field: custom.fields.marketingConsent}}
      Analytics: {{field: custom.fields.analyticsConsent}}
"""
PASSING: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 500},
    {"kind": "reset_before_body"},
    {"kind": "reset_mid_body"},
    {"kind": "truncate"},
    {"kind": "broken_json", "match": "/commercetools/api/"},
    {"kind": "reset_after_apply", "match": "/segment/"},
    {"kind": "bad_gzip", "match": "/commercetools/api/"},
)
"""Faults that a run survives by trying again."""


@dataclass
class World:
    """Made by `world()`; see the module. `inboxes` are the destinations by name; the shop is in the first one's sandbox.

    `overlap_seconds` and `sabotage` (see `zygote`) are for tests that must fail.
    """

    seed: int
    rng: random.Random
    folder: Path
    zygote: Zygote
    inboxes: dict[str, SandboxThread]
    doubts: dict[str, Doubts]
    keeper: Keeper
    book: Book
    counts: Counter[str] = field(default_factory=Counter)
    terms: dict[str, Terms] = field(default_factory=dict)
    forgotten: dict[str, dict[str, int]] = field(default_factory=dict)
    departed: set[str] = field(default_factory=set)
    simulated_seconds: float = 0.0
    lost_answers: int = 0
    overlap_seconds: int = OVERLAP_SECONDS
    sabotage: str = ""

    @property
    def shop(self) -> SandboxThread:
        """The sandbox that is read from."""
        return self.inboxes["first"]

    def advance(self, seconds: float) -> None:
        """Let time pass, for everybody."""
        self.simulated_seconds += seconds
        for sandbox in self.inboxes.values():
            sandbox.clock.advance(seconds)

    def offset(self, skew_seconds: float = 0.0) -> float:
        """How far the client's clock is to be from this machine's, to be `skew_seconds` from the shop's."""
        return (self.shop.clock.now() - datetime.now(UTC)).total_seconds() + skew_seconds

    def write_settings(self, plan: str = "") -> None:
        """Write `cdi.yaml`; `plan` names a folder beside it."""
        text = SETTINGS.format(
            plan=f"plan: {plan}\n" if plan else "",
            url=self.shop.url,
            other=self.inboxes["second"].url,
            pace="events_per_second: 1000000",
            streams=STREAMS,
            settle=SETTLE_SECONDS,
            overlap=self.overlap_seconds,
            keep=KEEP_DAYS,
        )
        (self.folder / "cdi.yaml").write_text(text, encoding="utf-8")

    def run(self, *arguments: str, skew_seconds: float = 0.0, **kill: int | None) -> Ended:
        """Run a command to its end, or until `kill_at` or `kill_at_answer` (see `zygote`), and look at what it repeated."""
        self.counts["runs"] += 1
        ended = self.zygote.run(*arguments, offset_seconds=self.offset(skew_seconds), sabotage=self.sabotage, **kill)
        self.note(ended)
        return ended

    def note(self, ended: Ended) -> None:
        """Count a run; a kill may repeat what was in flight, into each destination."""
        self.counts[f"exit {ended.code}"] += 1
        assert ended.code in (-9, 0, 1, 2, 3, 4), (ended.code, ended.err)
        assert "Traceback" not in ended.err, ended.err
        assert "unexpected" not in ended.err, (ended.arguments, ended.err)
        assert "DO NOT close" not in ended.out + ended.err, (ended.out, ended.err)
        for doubts in self.doubts.values():
            self.counts["repeats"] += doubts.note(ended)
        self.counts["kills"] += ended.was_killed

    def backfill(self) -> None:
        """The first thing that is ever run: history, with kills in between, until it is done."""
        self.advance(5)  # what was done before lies before both destinations' start, whose clock tells whole seconds only
        now = self.shop.clock.now()
        since = (now - timedelta(days=HISTORY_DAYS)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        self.terms = {name: Terms(since, now.strftime("%Y-%m-%dT%H:%M:%S.000Z")) for name in self.inboxes}
        self.forgotten = {name: {} for name in self.inboxes}
        kill_at: int | None = self.rng.randint(5, 60)
        while (ended := self.run("backfill", "--since", since, kill_at=kill_at)).code not in (0, 1):
            assert ended.was_killed, ended.err
            kill_at = self.rng.choice((None, self.rng.randint(5, 60)))

    def trouble(self, count: int) -> list[Fault]:
        """Put some passing faults in force on either side."""
        faults = []
        for _ in range(count):
            sandbox = self.inboxes[self.rng.choice(sorted(self.inboxes))]
            chosen = {"match": self.rng.choice(("/commercetools/", "/segment/"))} | self.rng.choice(PASSING)
            faults.append(sandbox.faults.add(Fault(**chosen, skip=self.rng.randint(0, 5), times=self.rng.randint(1, 2))))
        return faults

    def lift(self, faults: list[Fault]) -> None:
        """Lift all faults, having counted what they did."""
        for fault in faults:
            self.counts["faults"] += fault.fired
            self.counts[f"fault {fault.kind}"] += fault.fired
            self.lost_answers += fault.fired * (fault.kind in APPLIED)
        for sandbox in self.inboxes.values():
            sandbox.faults.clear()

    def settle_down(self) -> None:
        """Everything becomes visible, then two undisturbed syncs: after them all that is owed must have arrived."""
        self.advance(2 * (SETTLE_SECONDS + OVERLAP_SECONDS))
        self.shop.shop.release()
        for _ in range(2):
            for _ in range(20):
                ended = self.run(*SYNC)
                if ended.code in (0, 1):
                    break
            assert ended.code in (0, 1), (ended.code, ended.out, ended.err)
            self.advance(SETTLE_SECONDS + 1)

    def verdicts(self) -> dict[str, Verdict]:
        """What the oracle says of each destination now."""
        self.book.catch_up(list(self.shop.shop.journal))
        letters = self.letters()
        found = {}
        for name, sandbox in self.inboxes.items():
            agreed = replace(
                self.terms[name],
                forgotten=dict(self.forgotten[name]),
                letters=frozenset(letters[name]),
                repeats_max=self.doubts[name].ever + self.lost_answers * BATCH_EVENTS,
                doubtful=tuple(self.doubts[name].ranges),
                kept_since=shift(self.shop.clock.instant(), timedelta(days=-KEEP_DAYS)),
            )
            found[name] = judge(self.book, sandbox.segment.applied, agreed, refused_repeats=len(sandbox.segment.duplicates))
            assert sandbox.segment.dropped == [], sandbox.segment.dropped[:2]
        # Whom both have forgotten is only forgotten from here on: the sync that told of it has ended.
        for customer in self.book.gone.keys() - self.departed:
            self.departed.add(customer)
            for name, sandbox in self.inboxes.items():
                self.forgotten[name].setdefault(customer, len(sandbox.segment.applied))
        return found

    def letters(self) -> dict[str, set[tuple[str, str]]]:
        """Destination -> (entity id, event name or "") of its dead letters."""
        ended = self.zygote.run("dlq", "list", "--json", "--limit", "100000")
        assert ended.code == 0, ended.err
        listed = ended.json()
        found: dict[str, set[tuple[str, str]]] = {name: set() for name in self.inboxes}
        for letter in listed:
            found[letter["destination"]].add((letter["entity_id"] or "", letter["event"] or ""))
        return found

    def check(self) -> dict[str, Verdict]:
        """Settle down and assert that the oracle has nothing to say."""
        self.settle_down()
        verdicts = self.verdicts()
        self.counts["checks"] += 1
        for name, verdict in verdicts.items():
            assert verdict.is_clean, f"CDI_SEED={self.seed}, {name}: {verdict}\n{dict(self.counts)}"
        return verdicts

    def skewed(self) -> None:
        """A machine whose clock is wrong by more than five minutes is refused and sends nothing."""
        before = [len(sandbox.segment.requests) for sandbox in self.inboxes.values()]
        ended = self.run(*SYNC, skew_seconds=self.rng.choice((-900.0, 420.0, 86_400.0)))
        assert ended.code == 2, (ended.code, ended.err)
        assert "clock" in ended.err
        assert before == [len(sandbox.segment.requests) for sandbox in self.inboxes.values()]
        self.counts["skews refused"] += 1

    def overlap(self) -> None:
        """Two crons at once: the second one leaves at once, with its own code, unless the first has ended by then."""
        self.shop.set_latency(0.02)
        first = self.zygote.start(*SYNC, offset_seconds=self.offset())
        second = self.zygote.start(*SYNC, offset_seconds=self.offset())
        ended = [self.zygote.wait(one) for one in (second, first)]
        self.shop.set_latency(0.0)
        self.counts["runs"] += 2
        for one in ended:
            self.note(one)
        assert any(one.code in (0, 1) for one in ended), [(one.code, one.err) for one in ended]
        self.counts["overlaps refused"] += sum(one.code == 4 for one in ended)

    def busy(self) -> None:
        """The shop changes while a sync reads it: in the middle of its walk through the pages."""
        self.shop.set_latency(0.01)
        running = self.zygote.start(*SYNC, offset_seconds=self.offset())
        self.keeper.work(self.rng.randint(2, 10))
        self.counts["runs"] += 1
        self.note(self.zygote.wait(running))
        self.shop.set_latency(0.0)

    def cut(self) -> None:
        """A sync whose time is over before its work is."""
        self.shop.set_latency(0.15)
        self.run(*SYNC, "--max-duration", "1s")
        self.shop.set_latency(0.0)
        self.counts["cuts"] += 1

    def erase(self) -> None:
        """Somebody asks to be forgotten: from now on nothing may be said of them."""
        customer = self.rng.choice(self.keeper.customers)
        ended = self.run("erase", "--id", customer, "--yes")
        assert ended.code == 0, (ended.code, ended.err)
        for name, sandbox in self.inboxes.items():
            self.forgotten[name].setdefault(customer, len(sandbox.segment.applied))
        self.counts["erased"] += 1

    def replay(self) -> None:
        """Somebody tries the dead letters again, with the plan as it is now; often a kill ends that, too."""
        kill_at = self.rng.choice((None, self.rng.randint(1, 12)))
        self.run("dlq", "replay", "--yes", kill_at=kill_at)
        self.counts["replays"] += 1

    def use_plan(self, *, is_strict: bool) -> None:
        """The default plan, as it is or with chargebacks forbidden: these go to the dead letters then."""
        target = self.folder / "plan"
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(PLAN, target)
        if is_strict:
            event = target / "events" / "order_refunded.yaml"
            text = event.read_text(encoding="utf-8")
            assert ALLOWED in text
            event.write_text(text.replace(ALLOWED, "enum: [refund]"), encoding="utf-8")
        self.write_settings("plan")

    def mend_plan(self) -> None:
        """The plan allows chargebacks again, and what lay in the dead letters for them is sent."""
        self.use_plan(is_strict=False)
        ended = self.run("dlq", "replay", "--yes")
        assert ended.code in (0, 1), (ended.code, ended.err)
        self.counts["plans mended"] += 1

    def outage(self, *, rounds: int) -> None:
        """One destination is down for a while; the other goes on."""
        name = self.rng.choice(sorted(self.inboxes))
        down = self.inboxes[name].faults.add(Fault(kind="status", match="/segment/", status=503, times=None))
        for _ in range(rounds):
            self.keeper.work(self.rng.randint(1, 6))
            self.advance(self.rng.uniform(300, 3600))
            self.run(*SYNC)
        self.counts["outages"] += 1
        self.lift([down])


@contextmanager
def world(folder: Path, seed: int, *, orders: int = 150) -> Iterator[World]:
    """A shop of two years, and everything around it; `seed` decides what will happen."""
    place = folder / "place"
    place.mkdir(parents=True)
    options = SandboxOptions(orders=orders, seed=seed, messages=True)
    with ExitStack() as stack:
        first = stack.enter_context(SandboxThread(options))
        second = stack.enter_context(SandboxThread(SandboxOptions(orders=1, seed=seed)))
        zygote = stack.enter_context(Zygote(place, folder / "outputs", cdi_environment(options)))
        rng = random.Random(seed)
        book = Book()
        for kind in KINDS:
            book.open(kind, first.shop.documents(kind))
        keeper = Keeper(first, rng, lag_max=SETTLE_SECONDS + OVERLAP_SECONDS - 10)
        inboxes = {"first": first, "second": second}
        doubts = {name: Doubts(name, sandbox) for name, sandbox in inboxes.items()}
        made = World(seed, rng, place, zygote, inboxes, doubts, keeper, book)
        made.use_plan(is_strict=True)
        yield made


def in_days(made: World) -> float:
    """How many days have been simulated."""
    return made.simulated_seconds / 86_400
