"""Write docs/cli.md from the help texts of the commands, so that the page cannot say anything else."""

from __future__ import annotations

from pathlib import Path

import click

from edge_fer.cli.main import cli

PAGE = Path(__file__).with_name("cli.md")
INTRODUCTION = """\
# Command line

This page is made by `script/docs` from the help texts of the commands.

Results go to standard output, all else to standard error. Exit codes: 0 done, 1 the work failed, 2 wrong usage,
3 no camera or input could be opened, 4 bad model file, 78 bad configuration, 130 interrupted.
"""


def cli_page() -> str:
    """The whole page as Markdown."""
    settings = {"terminal_width": 100, "max_content_width": 100, "color": False}
    root = click.Context(cli, info_name="edge-fer", **settings, **cli.context_settings)  # type: ignore[arg-type]
    parts = [INTRODUCTION, _section("edge-fer", cli.get_help(root))]
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None, name
        context = click.Context(command, info_name=name, parent=root)
        parts.append(_section(f"edge-fer {name}", command.get_help(context)))
        for inner in command.commands.values() if isinstance(command, click.Group) else ():
            inner_context = click.Context(inner, info_name=inner.name, parent=context)
            parts.append(_section(f"edge-fer {name} {inner.name}", inner.get_help(inner_context)))
    return "\n".join(parts)


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(cli_page(), encoding="utf-8")
