"""The command `kubectl_complete-terrace`, which kubectl runs to complete `kubectl terrace ...` in any shell.

Kubectl hands over the words, the last of them being the one to complete, and expects what Cobra's `__complete` prints:
one proposal a line, with a tab before its description, then a colon and the sum of directives (kubectl, "Shell
completion for kubectl plugins"; spf13/cobra, completions.go).
"""

import sys

import click
from click.shell_completion import CompletionItem, ShellComplete

from terrace_kubectl.commands import cli

_FILES = 0
"""ShellCompDirectiveDefault: the shell proposes files where we propose nothing."""
_NO_FILES = 4
"""ShellCompDirectiveNoFileComp."""


def main(words: list[str] | None = None) -> None:
    """Prints the proposals for the last word."""
    *before, last = (sys.argv[1:] if words is None else words) or [""]
    found = ShellComplete(cli, {}, "kubectl terrace", "").get_completions(before, last)
    for item in found:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(f":{_FILES if any(_is_file(item) for item in found) else _NO_FILES}")


def _is_file(item: CompletionItem) -> bool:
    return item.type in {"file", "dir"}
