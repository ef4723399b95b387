"""The README's first command, as far as it goes without a package registry."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rendering import ROOT

README = (ROOT / "README.md").read_text()
# Stand in for what takes minutes and a registry; what is left is what the session prints.
NOXFILE = """
import sys
sys.path.insert(0, {root!r})
import noxfile
from noxfile import *

noxfile.remove_all_but = lambda *_: None
noxfile.render = lambda session, *_, **how: session.run(*{command!r}, external=True, **how)
noxfile.install = noxfile.sync = lambda *_, **__: None
noxfile.command_of = lambda service: "dev"
noxfile.become = lambda *_: print("Serving", flush=True)
"""


def demo(folder: Path, command: str) -> "subprocess.CompletedProcess[str]":
    """Run the session `demo`, with a Python command in place of the rendering."""
    noxfile = folder / "noxfile_of_test.py"
    noxfile.write_text(NOXFILE.format(root=str(ROOT), command=[sys.executable, "-c", command]))
    options = [f"--noxfile={noxfile}", f"--envdir={folder / 'envs'}", "--session=demo"]
    return subprocess.run(
        [sys.executable, "-m", "nox", *options], capture_output=True, text=True, check=False
    )


def test_demo_prints_a_line_for_each_step_and_nothing_of_its_commands(tmp_path: Path) -> None:
    """What the demo prints before the service is what the README shows."""
    done = demo(tmp_path, "print('noise')")

    assert done.returncode == 0, done.stdout + done.stderr
    lines = re.sub(r"\d+\.\d", "0.0", done.stdout).splitlines()
    assert lines == [
        "Rendering the service ... done in 0.0 s",
        "Installing it ... done in 0.0 s",
        "Serving",
    ]
    shown = re.sub(r"\d+\.\d", "0.0", README)
    assert "\n```\n" + "\n".join(lines[:2]) in shown
    of_nox = r"nox > (Running session|Creating virtual environment|Session demo was successful)"
    assert [line for line in done.stderr.splitlines() if not re.match(of_nox, line)] == []


def test_demo_prints_all_of_a_command_that_fails(tmp_path: Path) -> None:
    """Quiet is for what works."""
    done = demo(tmp_path, "print('the reason'); raise SystemExit(3)")

    assert done.returncode != 0
    assert "Rendering the service ... failed" in done.stdout
    assert "the reason" in done.stdout + done.stderr
    assert "exit code 3" in done.stderr
    assert "Installing" not in done.stdout


@pytest.mark.parametrize("command", ["nox -s demo", "nox"])
def test_readme_names_both_ways_to_run_a_command(command: str) -> None:
    """With pip in a virtual environment; with uv, without one."""
    assert re.search(rf"^    pip install nox uv && {command} +#", README, re.MULTILINE)
    assert f"`uvx {command}`" in README
