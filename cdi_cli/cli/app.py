"""The `cdi` command: which commands there are, and how the program ends.

One file per command. A command's module imports only the standard library, typer and `cli/options.py`; everything heavy is
imported inside the command's function, which is what keeps `cdi --help` quick. Help is plain text on purpose: it reads the
same in a terminal, a pipe and the documentation.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cdi_cli import __version__
from cdi_cli.cli import check, config, init

EPILOG = "Start with `cdi init`, or see it work with `cdi demo`. Exit codes: 0 fine, 1 dead letters, 2 usage or settings, \
3 stopped and resumable, 4 checkpoint file in use, 130/143 interrupted"


class _Group(TyperGroup):
    """The root group: every error of a command is printed in one place and becomes the exit code."""

    def invoke(self, ctx: typer.Context) -> Any:
        """Run the command; ends by SystemExit-like `typer.Exit` with the documented code."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as error:
            from cdi_cli.cli.errors import report

            code = report(error)
            if code is None:
                raise
            raise typer.Exit(code) from None


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
    "Move commerce data into customer data platforms, checked against one tracking plan.",
    cls=_Group,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
config_app = _group("Show the settings as they are understood, and their JSON Schema.")


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit", is_eager=True, callback=lambda on: _version(on))
    ] = False,
) -> None:
    """Move commerce data into customer data platforms, checked against one tracking plan."""


def _version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"cdi {__version__}")
        raise typer.Exit


app.command("init")(init.init)
app.command("check")(check.check)
app.add_typer(config_app, name="config")
config_app.command("show")(config.show)
config_app.command("schema")(config.schema)
