"""Completion in shells: the scripts are those of click, and what they ask is answered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import command_line, run_edge_fer, run_to_end


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_the_program_and_the_variable(shell: str) -> None:
    done = run_edge_fer("completion", shell, check=True)
    assert "_EDGE_FER_COMPLETE" in done.stdout
    assert "edge-fer" in done.stdout


def test_another_shell_is_refused_with_those_that_are_known() -> None:
    done = run_edge_fer("completion", "tcsh")
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("edge-fer pre", {"predict"}),
        ("edge-fer run --pres", {"--preset"}),
        ("edge-fer run --preset ", {"fast", "balanced", "thorough"}),
        ("edge-fer service ins", {"install"}),
    ],
)
def test_what_is_asked_is_answered(words: str, expected: set[str]) -> None:
    count = len(words.split(" ")) - 1
    environment = {**os.environ, "_EDGE_FER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    done = run_to_end(command_line(), env=environment)
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == expected


def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    bash, program = shutil.which("bash"), Path(sys.executable).with_name("edge-fer")
    if bash is None or not program.is_file():
        pytest.skip("needs bash and the installed program")
    script = run_edge_fer("completion", "bash", check=True).stdout
    asked = (
        script + '\nCOMP_WORDS=(edge-fer pred); COMP_CWORD=1; _edge_fer_completion edge-fer; echo "${COMPREPLY[@]}"\n'
    )
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run([bash, "-c", asked], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == "predict", done.stderr
