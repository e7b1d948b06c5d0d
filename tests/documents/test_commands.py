"""Every command of the pages is run on a real API server or has its place in the table of those that are not."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from documents.commands import PAGES, ROOT, Command, all_commands, commands
from documents.elsewhere import ELSEWHERE, Elsewhere
from documents.run import PLACEHOLDERS, is_run

COMMANDS = all_commands()
MAKE = [shlex.split(one.text) for one in COMMANDS if one.text.startswith("make ")]


def found(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.text, one.output) for one in commands("page.md", text)]


def test_blocks_by_fence_and_by_indentation_are_found_with_their_output() -> None:
    page = """
Words.

    helm install a \\
      --set b=c    # why

    kubectl get pods

- an item

      kubectl describe pods

```sh
$ kubectl get nodes   # looks
NAME  AGE
$ kubectl version
```
"""
    assert found(page) == [
        ("helm install a --set b=c", ()),
        ("kubectl get pods", ()),
        ("kubectl describe pods", ()),
        ("kubectl get nodes", ("NAME  AGE",)),
        ("kubectl version", ()),
    ]


def test_yaml_is_no_command_and_other_text_is() -> None:
    assert found("\n    spec:\n      a: b\n") == []
    assert found("\n    whatever it is\n") == [("whatever it is", ())]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: f"{one.page}:{one.text[:60]}")
def test_a_command_is_run_or_is_in_the_table_and_never_both(command: Command) -> None:
    places = [one for one in ELSEWHERE if one.covers(command.text)]
    assert len(places) + is_run(command) == 1, "run it in documents.run, or say in documents.elsewhere why not"


@pytest.mark.parametrize("place", ELSEWHERE, ids=lambda one: one.command)
def test_the_table_names_what_is_there(place: Elsewhere) -> None:
    assert any(place.covers(one.text) for one in COMMANDS), "no page has such a command any more"
    assert place.says in place.path.read_text()


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_placeholder_is_on_a_page(placeholder: str) -> None:
    assert any(placeholder in one.text for one in COMMANDS)


def dry_run(*words: str) -> str:
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_pushed_is_what_was_built() -> None:
    pushed = [one.text.split()[-1] for one in COMMANDS if one.text.startswith("docker push ")]
    (built,) = [words[1:] for words in MAKE if "images" in words and any(one.startswith("TAG=") for one in words)]
    loop = dry_run(*built)
    assert "for target in agent operator" in loop
    assert sorted(pushed) == sorted(
        loop.split(" -t ")[1].split()[0].replace("$target", name) for name in ("agent", "operator")
    )


@pytest.mark.parametrize("words", MAKE, ids=" ".join)
def test_make_knows_the_target_and_its_variables(words: list[str]) -> None:
    dry_run(*words[1:])
    makefile = (ROOT / "Makefile").read_text()
    names = [word.partition("=")[0] for word in words[1:] if "=" in word]
    assert [name for name in names if f"$({name})" not in makefile] == []


def test_what_is_installed_by_hand_has_the_programs_of_the_pages() -> None:
    texts = [one.text for one in COMMANDS]
    said = {
        found
        for text in texts
        for found in re.findall(r"(?:^|\s)((?:terrace-agent|terrace-operator|kubectl-terrace)\b)", text)
    }
    programs = {path.name for path in Path(sys.executable).parent.iterdir() if os.access(path, os.X_OK)}
    assert said
    assert said <= programs
    extras = {extra for text in texts for extra in re.findall(r"pip install '?\.\[(\w+)\]", text)}
    declared = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2]
    assert [extra for extra in extras if f"\n{extra} = [" not in declared] == []


def test_every_page_asks_for_a_helm_that_has_the_options_of_the_commands() -> None:
    assert any("--reset-then-reuse-values" in one.text for one in COMMANDS), "then an older one would do"
    said = {page.name: re.findall(r"\bhelm \(?(\d[\d.]*) or newer", page.read_text()) for page in PAGES}
    assert {name: versions for name, versions in said.items() if versions} == {
        "README.md": ["3.14"],
        "install.md": ["3.14"],
    }
