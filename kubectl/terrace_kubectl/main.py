"""The command `kubectl-terrace`, which kubectl runs as `kubectl terrace`.

Exit status: 0 done; 1 the answer is bad news (`doctor`: something is wrong; `diff`: something would change); 2 there is
no answer, with the reason in one line on standard error.
"""

import os
import sys
from collections.abc import Sequence

import click

from terrace_api.errors import InvalidObject, TerraceError
from terrace_kubectl.commands import cli

_COMPLETE = "_KUBECTL_TERRACE_COMPLETE"
"""Set by who completes `kubectl-terrace`, without kubectl; to bash_source, zsh_source or fish_source for the script."""
_NO_ANSWER, _INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    try:
        name = "kubectl-terrace" if _COMPLETE in os.environ else "kubectl terrace"
        answer = cli.main(arguments, prog_name=name, complete_var=_COMPLETE, standalone_mode=False)
        sys.stdout.flush()
    except (TerraceError, click.ClickException) as error:
        print(f"error: {_in_words(error)}", file=sys.stderr)
        return _NO_ANSWER
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:  # who read has enough, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return answer if isinstance(answer, int) else 0


def _in_words(error: TerraceError | click.ClickException) -> str:
    match error:
        case InvalidObject():
            return "\n".join(f"{error.kind}: {problem}" for problem in error.problems)
        case click.UsageError(ctx=click.Context() as context):
            return f"{error.format_message()}\n{context.get_usage()}"
        case click.ClickException():
            return error.format_message()
        case _:
            return str(error)
