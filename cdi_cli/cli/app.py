"""The `cdi` command: which commands there are, and how the program ends.

One file per command. A command's module imports only the standard library, typer and `cli/options.py`; everything heavy is
imported inside the command's function, which is what keeps `cdi --help` quick. Help is plain text on purpose: it reads the
same in a terminal, a pipe and the documentation.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cdi_cli import __version__
from cdi_cli.cli import (
    backfill,
    check,
    config,
    demo,
    dlq,
    dlq_drop,
    dlq_explain,
    dlq_export,
    dlq_replay,
    dlq_settle,
    erase,
    init,
    ledger,
    plan_diff,
    plan_export,
    plan_impact,
    plan_import,
    plan_schema,
    preview,
    push,
    runs,
    sandbox,
    schedule,
    status,
    sync,
    template,
    validate,
)

EPILOG = "Start with `cdi init`, or see it work with `cdi demo`."


class _Group(TyperGroup):
    """The root group: every error of a command is printed in one place and becomes the exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; ends by `typer.Exit` with the documented code."""
        try:
            _require_working_folder()
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            if hasattr(error, "format_message"):
                # A wrong option or argument: typer shows the usage line with it and ends with code 2.
                raise
            from cdi_cli.cli.errors import report

            raise typer.Exit(report(error)) from None


def _require_working_folder() -> None:
    """Raise ConfigError where the shell stands in a folder that was deleted: no path could be found from there."""
    try:
        os.getcwd()  # noqa: PTH109 - pathlib is not needed for more, and help is to be quick
    except OSError:
        from cdi_cli.errors import ConfigError

        raise ConfigError("the working folder no longer exists", hint="`cd` to another folder and run it again") from None


def _group(help_text: str, **options: Any) -> typer.Typer:
    return typer.Typer(
        help=help_text,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        **options,
    )


app = _group(
    "Move commerce data into customer data platforms, checked against one tracking plan",
    cls=_Group,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
config_app = _group("Show the settings and their JSON Schema")
dlq_app = _group("Explain what could not be delivered, and send it again")
ledger_app = _group("Look into the memory of what was sent")
plan_app = _group("Work on the tracking plan")
template_app = _group("Work on the JSONata of the tracking plan")
sandbox_app = _group("Run simulated platforms on this machine")


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit", is_eager=True, callback=lambda on: _version(on))
    ] = False,
) -> None:
    """Move commerce data into customer data platforms, checked against one tracking plan"""


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"cdi {__version__}")
        raise typer.Exit


app.command("init", short_help="Make a new project")(init.init)
app.command("check", short_help="Test settings, plan, secrets and both sides")(check.check)
app.command("validate", short_help="Check the plan, its mapping, fixtures or events")(validate.validate)
app.command("preview", short_help="Show what one record would be sent as, and why")(preview.preview)
app.command("backfill", short_help="Send a window of history, once")(backfill.backfill)
app.command("sync", short_help="Send what changed since the last sync")(sync.sync)
app.command("push", short_help="Send ready-made events of a file")(push.push)
app.command("schedule", short_help="Print a unit for cron, systemd and others")(schedule.schedule)
app.command("runs", short_help="Show the history of runs")(runs.runs)
app.command("status", short_help="Show how far each pipeline is")(status.status)
app.add_typer(dlq_app, name="dlq")
dlq_app.command("list", short_help="List dead letters")(dlq.list_)
dlq_app.command("show", short_help="Show dead letters whole")(dlq.show)
dlq_app.command("explain", short_help="Explain what failed and what to do next")(dlq_explain.explain)
dlq_app.command("recheck", short_help="Tell which would pass now")(dlq_replay.recheck)
dlq_app.command("replay", short_help="Send them by the present plan")(dlq_replay.replay)
dlq_app.command("drop", short_help="Give dead letters up for good")(dlq_drop.drop)
dlq_app.command("settle", short_help="Decide that events in doubt did arrive")(dlq_settle.settle)
dlq_app.command("export", short_help="Write them to a file for other programs")(dlq_export.export)
app.add_typer(ledger_app, name="ledger")
ledger_app.command("show", short_help="Show what was sent for one entity or event")(ledger.show)
ledger_app.command("size", short_help="Show how large the ledger is")(ledger.size)
ledger_app.command("compact", short_help="Put small rows of the ledger together")(ledger.compact)
app.command("erase", short_help="Forget a person, here and at the destinations")(erase.erase)
app.add_typer(config_app, name="config")
config_app.command("show", short_help="Print the effective settings")(config.show)
config_app.command("schema", short_help="Print the JSON Schema of a settings file")(config.schema)
app.add_typer(plan_app, name="plan")
plan_app.command("schema", short_help="Print the JSON Schema of plan files")(plan_schema.schema)
plan_app.command("diff", short_help="Compare two plans and the version they need")(plan_diff.diff)
plan_app.command("impact", short_help="Tell what a plan would reject of what was delivered")(plan_impact.impact)
plan_app.command("export", short_help="Write the plan for another system or for people")(plan_export.export)
plan_app.command("import", short_help="Make a plan folder of another system's plan")(plan_import.import_)
app.add_typer(template_app, name="template")
template_app.command("test", short_help="Try an event on one record")(template.attempt)
template_app.command("eject", short_help="Write an event's mapping as a template")(template.eject)
app.command("demo", short_help="See a backfill of a simulated shop")(demo.demo)
app.add_typer(sandbox_app, name="sandbox")
sandbox_app.command("serve", short_help="Run the simulators until Ctrl-C")(sandbox.serve)
sandbox_app.command("seed", short_help="Add orders to a running sandbox")(sandbox.seed_)
