"""The command `edge-fer completion`: scripts that let a shell complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM, VARIABLE = "edge-fer", "_EDGE_FER_COMPLETE"
"""The name that is completed, and the variable by which the shell asks; click derives the one from the other."""


@click.command("completion", short_help="Print a script for completion in a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that lets bash, zsh or fish complete commands, options, choices and file names.

    \b
    Examples:
      edge-fer completion bash > ~/.local/share/bash-completion/completions/edge-fer
      edge-fer completion zsh > ~/.zfunc/_edge-fer
      edge-fer completion fish > ~/.config/fish/completions/edge-fer.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(context.find_root().command, {}, PROGRAM, VARIABLE).source())
