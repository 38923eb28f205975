"""`python -m cdi_cli` and the console script `cdi`."""

from __future__ import annotations


def main() -> None:
    """Run the command line; ends by SystemExit with the documented exit code."""
    from cdi_cli.cli.app import app

    app(prog_name="cdi")


if __name__ == "__main__":
    main()
