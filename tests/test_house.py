"""Where things are in a rendered service, and that nothing stands where it does not belong."""

import ast
import re
from pathlib import Path

import pytest
from rendering import ROOT, render

PACKAGE = ROOT / "template" / "src" / "{{ package_name }}"
PAGE = "docs/where-to-put-things.md"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default service."""
    return render(tmp_path_factory.mktemp("service"))


def test_main_is_a_table_of_contents() -> None:
    """A team that opens it sees what there is, and where its own parts go."""
    text = (PACKAGE / "main.py.jinja").read_text()
    main = re.sub(r"^{%.*%}\n", "", text, flags=re.MULTILINE)
    assert len(main.splitlines()) <= 61
    assert main.count("# yours below") == 2


@pytest.mark.parametrize("module", sorted((PACKAGE / "api").glob("*.py")), ids=lambda m: m.stem)
def test_routes_ask_the_domain_and_write_no_sql(module: Path) -> None:
    """Who looks for a query looks below `trading/` and `market/`."""
    imported = {
        node.module or ""
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert not {name for name in imported if name.startswith("sqlalchemy")}
    assert not re.search(r"\.(execute|scalars?)\(", module.read_text())


def test_the_page_names_every_room_and_each_of_cores(service: Path) -> None:
    """A newcomer finds the place by its name; a room that is added is put on the map."""
    page = (service / PAGE).read_text()
    package = service / "src" / "trading_service"
    rooms = {path.name for path in package.iterdir() if path.is_dir()}
    of_core = {path.name for path in (package / "core").iterdir() if path.is_dir()}
    for name in rooms - {"api"} | of_core - {"api"}:
        assert len(re.findall(rf"^\| `{name}/`", page, re.MULTILINE)) == 1, name
    assert len(re.findall(r"^\| `api/`", page, re.MULTILINE)) == 2, "the service's, and core's"


def test_every_file_that_the_page_names_is_there(service: Path) -> None:
    """But for those that its walk makes."""
    page = (service / PAGE).read_text()
    made = set(re.findall(r"^`([\w./]+)`:$", page, re.MULTILINE))
    named = set(re.findall(r"`((?:src|tests|migrations|docs)/[\w./]+\.\w+)`", page))
    assert named - made
    assert [name for name in sorted(named - made) if not (service / name).exists()] == []
