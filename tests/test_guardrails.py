"""The lint that a service ships refuses code that breaks its layers."""

import ast
import itertools
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from rendering import ROOT, render

_, _, LINTER = (ROOT / "template" / "pyproject.toml.jinja").read_text().partition("importlinter]\n")
CONTRACTS = tomllib.loads(LINTER)["tool"]["importlinter"]["contracts"]
FLOORS, ROOMS = (contract["layers"] for contract in CONTRACTS)
PACKAGE = ROOT / "template" / "src" / "{{ package_name }}"
AROUND_CORE = sorted(
    {path.name.split(".")[0] for path in PACKAGE.iterdir()} - {"__init__", "__pycache__", "core"}
)
# What need not be there: a team has it, or a later version of the template.
OPTIONAL = [floor.strip("()") for floor in FLOORS if floor.startswith("(")]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default service."""
    return render(tmp_path_factory.mktemp("service"))


@pytest.fixture
def service(rendered: Path, tmp_path: Path) -> Path:
    """What the lint reads of the service, with every floor that may be there."""
    shutil.copy(rendered / "pyproject.toml", tmp_path)
    shutil.copytree(rendered / "src", tmp_path / "src")
    for name in OPTIONAL:
        add_package(tmp_path, name)
    return tmp_path


def test_rendered_imports_are_allowed(rendered: Path) -> None:
    """A new service keeps its own rules."""
    assert_kept(lint_imports(rendered))


def test_a_floor_may_be_built_later(service: Path) -> None:
    """Strategies and backtests have their place before they exist."""
    assert {"backtests", "strategies"} <= set(OPTIONAL)
    assert_kept(lint_imports(service))


@pytest.mark.parametrize("module", AROUND_CORE)
def test_core_may_import_nothing_around_it(service: Path, module: str) -> None:
    """`core` comes from the template, and can't know what a team has built on it."""
    add_import(service, "core.errors.exceptions", module)
    assert_broken(lint_imports(service), "core.errors.exceptions", module)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        *itertools.pairwise(reversed([floor.strip("()") for floor in FLOORS if "|" not in floor])),
        ("notifications", "trading"),
        ("market", "trading"),
        ("exchanges", "api"),
        ("trading", "api"),
        ("trading", "settings"),
        ("trading", "main"),
        ("trading", "cli"),
        ("strategies", "api"),
        ("api", "cli"),
        ("project", "settings"),
        ("project", "core"),
    ],
)
def test_floor_may_not_import_a_higher_one(service: Path, lower: str, higher: str) -> None:
    """The trading rules know nothing of HTTP, and routes nothing of what puts them together."""
    add_import(service, lower, higher)
    assert_broken(lint_imports(service), lower, higher)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        *itertools.pairwise(reversed(ROOMS)),
        ("observability.route", "api.application"),
        ("database.transactions.callbacks", "api.health"),
        ("errors.exceptions", "database.session"),
        ("observability.logging", "database.session"),
    ],
)
def test_room_of_core_may_not_import_a_higher_one(service: Path, lower: str, higher: str) -> None:
    """So that no rooms of core stand in a ring, each of which needs all others."""
    add_import(service, f"core.{lower}", f"core.{higher}")
    if ROOMS.index(lower.split(".", maxsplit=1)[0]) < ROOMS.index(higher.split(".", maxsplit=1)[0]):
        assert_kept(lint_imports(service))
    else:
        assert_broken(lint_imports(service), f"core.{lower}", f"core.{higher}")


@pytest.mark.parametrize("name", ["desk", "core.ledger"])
def test_package_that_is_on_no_list_is_refused_by_name(service: Path, name: str) -> None:
    """Or it could import whatever it likes, and be imported by anything."""
    add_package(service, name)
    done = lint_imports(service)
    assert done.returncode == 1
    assert f"trading_service.{name}" in done.stdout


QUESTIONS = {"How", "When", "Where", "Whether", "Which", "Who", "Whose", "Why", "What", "Without"}


def test_docstrings_begin_with_a_noun_or_a_verb(rendered: Path) -> None:
    """Many who read them have English as their second language; those of fields are read too."""
    texts = {
        f"{path.relative_to(rendered)}:{node.lineno}": node.value.value
        for path in sorted((rendered / "src").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node.value.value, str)
    }
    assert len(texts) > 500
    assert {place for place, text in texts.items() if text.split()[0] in QUESTIONS} == set()


def add_package(service: Path, name: str) -> None:
    folder = service / "src" / "trading_service" / name.replace(".", "/")
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()


def add_import(service: Path, module: str, imported: str) -> None:
    """Append an import of one module of the service to another one, as people write it."""
    path = service / "src" / "trading_service" / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    depth = len(path.relative_to(service / "src" / "trading_service").parts)
    parent, _, name = imported.rpartition(".")
    line = f"from {'.' * depth}{parent} import {name} as _"
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


def assert_broken(done: subprocess.CompletedProcess[str], importing: str, imported: str) -> None:
    """It refuses this very import, whatever else it finds to follow from it."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"trading_service.{importing} -> trading_service.{imported}" in done.stdout
