"""The lint that a service ships refuses code that breaks its layers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rendering import ROOT, render

PACKAGE = ROOT / "template" / "src" / "{{ package_name }}"
AROUND_CORE = sorted(
    {path.name.split(".")[0] for path in PACKAGE.iterdir()} - {"__init__", "__pycache__", "core"}
)


def test_rendered_imports_are_allowed(tmp_path: Path) -> None:
    """A new service keeps its own rules."""
    assert_kept(lint_imports(render(tmp_path)))


@pytest.mark.parametrize("module", AROUND_CORE)
def test_core_may_import_nothing_around_it(tmp_path: Path, module: str) -> None:
    """`core` comes from the template, and can't know what a team has built on it."""
    service = render(tmp_path)
    add_line(service, "core/errors/exceptions.py", f"from ... import {module} as _  # noqa: E402")
    assert_broken(lint_imports(service), f"trading_service.{module}")


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("notifications", "trading"),
        ("trading", "api"),
        ("trading", "main"),
        ("api", "main"),
        ("api", "cli"),
    ],
)
def test_layer_may_not_import_a_higher_one(tmp_path: Path, lower: str, higher: str) -> None:
    """The trading rules know nothing of HTTP, and routes nothing of what puts them together."""
    service = render(tmp_path)
    add_line(service, f"{lower}/__init__.py", f"from .. import {higher} as _")
    assert_broken(lint_imports(service), f"trading_service.{higher}")


def add_line(service: Path, module: str, line: str) -> None:
    path = service / "src" / "trading_service" / module
    path.write_text(f"{path.read_text()}{line}\n")


def lint_imports(service: Path) -> subprocess.CompletedProcess[str]:
    """Run the service's import-linter; that only reads the source, nothing has to be installed."""
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=service,
        env={**os.environ, "PYTHONPATH": "src", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def assert_kept(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken" in done.stdout


def assert_broken(done: subprocess.CompletedProcess[str], imported: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"-> {imported}" in done.stdout
