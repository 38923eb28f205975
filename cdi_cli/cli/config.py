"""`cdi config show` and `cdi config schema`: the settings as they are understood, and their JSON Schema."""

from __future__ import annotations

from cdi_cli.cli.options import ConfigOption, JsonOption


def show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print the effective settings: defaults filled in, paths absolute, secrets as references with their state.

    The output is YAML that could be a settings file again. The value of a secret is never printed.

    Example: cdi config show --json
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.options import open_project
    from cdi_cli.config.show import show_json, show_yaml

    settings = open_project(config).settings
    if as_json:
        output.print_json(show_json(settings))
    else:
        output.print_text(show_yaml(settings).rstrip("\n"))


def schema() -> None:
    """Print the JSON Schema of a settings file, for editors that complete and check while you type.

    Put `# yaml-language-server: $schema=cdi.schema.json` on the first line of cdi.yaml to use it.

    Example: cdi config schema > cdi.schema.json
    """
    from cdi_cli.cli import output
    from cdi_cli.config.schema import json_schema
    from cdi_cli.pipeline.project import known

    output.print_json(json_schema(known()))
