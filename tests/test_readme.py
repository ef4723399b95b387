"""What the documents say is so: this repository's, and those of a rendered service."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from rendering import ASKED, ROOT, files_of, git, render
from teamwork import marks

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_table_of_questions_is_that_of_copier(tmp_path: Path) -> None:
    """Each question with its default, the other choices, and what it changes."""
    answers = yaml.safe_load((render(tmp_path) / ".copier-answers.yml").read_text())
    rows = []
    for name, question in ASKED.items():
        default, others = answers[name], question.get("choices", [])
        if question.get("multiselect"):
            assert default == others
            default, others = ", ".join(default), ["any of them, or none"]
        choices = [default, *(choice for choice in others if choice != default)]
        rows.append(f"| `{name}` | {' · '.join(choices)} | {question['help'].strip()} |\n")
    assert "|---|---|---|\n" + "".join(rows) + "\n" in (ROOT / "README.md").read_text()


def test_guide_names_every_file_with_a_marker(tmp_path: Path) -> None:
    """Where a team's lines merge with the template's."""
    guide = (ROOT / "docs" / "how-to" / "update-a-service.md").read_text()
    _, _, table = guide.partition("## Where a `# yours below` is")
    for ci in ("github", "gitlab"):
        for name, text in files_of(render(tmp_path / ci, ci=ci)).items():
            named = f"`{name}`" in table or f"`{name.removeprefix(PACKAGE)}`" in table
            assert named == bool(marks(text)), name


PACKAGE = "src/trading_service/"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """A link to a file of this repository names one."""
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        assert "://" in link or (document.parent / link).exists(), link


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default service."""
    return render(tmp_path_factory.mktemp("service"))


def documents_of(service: Path) -> list[Path]:
    return [service / "README.md", *sorted((service / "docs").glob("*.md"))]


def anchors_of(document: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_of_a_service_lead_to_a_file_and_its_section(service: Path) -> None:
    """Each document of the service, too."""
    for document in documents_of(service):
        for link in re.findall(r"\]\(([^)]+)\)", document.read_text()):
            if "://" in link:
                continue
            name, _, anchor = link.partition("#")
            target = document.parent / name if name else document
            assert target.is_file(), f"{document.name}: {link}"
            assert not anchor or anchor in anchors_of(target), f"{document.name}: {link}"


def test_readme_of_a_service_leads_to_every_folder_and_page(service: Path) -> None:
    """A newcomer finds each of them from there."""
    readme = (service / "README.md").read_text()
    package = service / PACKAGE
    for path in [*package.iterdir(), *(service / "docs").iterdir()]:
        name = path.relative_to(service).as_posix() + "/" * path.is_dir()
        if path.name not in {"__init__.py", "__main__.py", "project.py"}:
            assert f"`{name}`" in readme, name


# --- Samples -------------------------------------------------------------------------------------

ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
KEY = re.compile(r"\bsk_[\w-]*[\w.…]*")
REAL_KEY = re.compile(r"sk_[a-z0-9]+_[\w-]{43}")
ELLIPSIS = re.compile(r"(?:sk_[a-z0-9]+_|sk_)?(?:\.\.\.|…)|sk_<cell>_?|sk_")


def all_documents(service: Path) -> list[Path]:
    return [*DOCUMENTS, *documents_of(service)]


def test_keys_that_are_shown_look_like_keys(service: Path) -> None:
    """Or are cut short in plain sight."""
    texts = {path: path.read_text() for path in all_documents(service)}
    shown = [(path.name, key) for path, text in texts.items() for key in KEY.findall(text)]
    assert {name for name, key in shown if REAL_KEY.fullmatch(key)} == {"README.md", "tutorial.md"}
    wrong = [key for _, key in shown if not REAL_KEY.fullmatch(key) and not ELLIPSIS.fullmatch(key)]
    assert wrong == []


def test_ids_that_are_shown_are_those_that_the_service_makes(service: Path) -> None:
    """UUIDs of version 7."""
    texts = {path: path.read_text() for path in all_documents(service)}
    shown = {(path.name, found) for path, text in texts.items() for found in ID.findall(text)}
    assert len(shown) > 2
    assert [found for found in shown if UUID(found[1]).version != 7] == []


ANSWER = re.compile(r"^```(?:json)?\n(\{.+?\})\n```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md", "template/README.md.jinja"])
def test_the_order_that_is_shown_is_whole(name: str) -> None:
    """The answer to the first order, with the fields that the API has."""
    schema = (ROOT / "template/src/{{ package_name }}/api/orders.py").read_text()
    [body] = re.findall(r"^class Order\(FromRow\):\n(.+?)\n\n\n", schema, re.MULTILINE | re.DOTALL)
    fields = re.findall(r"^    (\w+): ", body, re.MULTILINE)
    answers: list[dict[str, Any]] = [
        json.loads(line)
        for block in ANSWER.findall((ROOT / name).read_text())
        for line in ([block] if "\n " in block else block.splitlines())
    ]
    [order] = [answer for answer in answers if "client_order_id" in answer]
    assert list(order) == fields


def test_ci_runs_the_tests_as_the_readme_says(tmp_path: Path, service: Path) -> None:
    """In both kinds of CI."""
    [command] = re.findall(
        r"^\| all tests, as CI runs them \| `(.+)` \|$",
        (service / "README.md").read_text(),
        re.MULTILINE,
    )
    on_gitlab = (render(tmp_path, ci="gitlab") / ".gitlab-ci.yml").read_text()
    on_github = (service / ".github/workflows/ci.yml").read_text()
    assert re.findall(r"uv run pytest.*", on_gitlab + on_github) == [command, command]


@pytest.mark.parametrize("name", ["README.md", "template/README.md.jinja"])
def test_first_screen_says_what_it_is_and_shows_it(name: str) -> None:
    """The command, what it prints, and what an order is answered, without scrolling."""
    screen = "\n".join((ROOT / name).read_text().splitlines()[:36])
    for shown in ("FastAPI service", "API key: sk_a_", "Serving http://", "curl ", '"leaves_qty"'):
        assert shown in screen, shown


@pytest.mark.parametrize("name", ["README.md", "template/README.md.jinja"])
def test_paragraphs_of_a_readme_are_wrapped(name: str) -> None:
    """Every editor shows them whole. Tables, samples and pictures are as they are."""
    text = re.sub(r"^```.+?^```", "", (ROOT / name).read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "    ", "!", "{%"))]
    assert [line for line in lines if len(line) > 100] == []


def test_keys_are_created_for_an_account(service: Path) -> None:
    """Without --account it is `demo`, which is there in development only."""
    lines = [line for path in documents_of(service) for line in path.read_text().splitlines()]
    creating = [line for line in lines if "keys create" in line]
    assert len(creating) > 3
    assert [one for one in creating if "--account" not in one and ".dev/env" not in one] == []


SETTING = re.compile(
    r"`((?:DB|REDIS|HTTP|LOG|HEALTH|ALERTS|MONITOR|METRICS|RISK|PAPER|RECONCILE|KEY|CANDLES|STRATEGIES|BACKTEST)_[A-Z_]*[A-Z])\b"
)
NO_SETTINGS = {"DB_SSL", "REDIS_USER"}  # said to be none


def test_settings_that_a_document_names_are_settings(service: Path) -> None:
    """A setting that is renamed is renamed there, too."""
    example = (service / ".env.example").read_text()
    known = set(re.findall(r"^#(\w+)=", example, re.MULTILINE))
    named = {name for path in all_documents(service) for name in SETTING.findall(path.read_text())}
    assert len(named) > 30
    assert named - known - NO_SETTINGS == set()


EXPLAINED = ("trading.md", "paper-venue.md", "candles.md")


def test_each_setting_of_trading_is_explained(service: Path) -> None:
    """The page of limits, of the paper venue or of candles says what it does."""
    example = (service / ".env.example").read_text()
    pages = [(service / "docs" / name).read_text() for name in EXPLAINED]
    settings = set(re.findall(r"^#((?:RISK|PAPER|RECONCILE|CANDLES)_\w+)=", example, re.MULTILINE))
    assert len(settings) > 15
    assert settings - {name for page in pages for name in SETTING.findall(page)} == set()


# --- The whole repository ------------------------------------------------------------------------


def test_no_file_names_this_machine() -> None:
    """A path of the machine it was written on helps nobody elsewhere."""
    names = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in names.rstrip("\0").split("\0"):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        assert str(ROOT).encode() not in data, name
