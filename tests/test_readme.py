"""What the README says is so."""

import re
from pathlib import Path

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
        others = [choice for choice in question.get("choices", []) if choice != answers[name]]
        rows.append(f"| `{name}` | {' · '.join([answers[name], *others])} | {question['help']} |\n")
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


def test_no_file_names_this_machine() -> None:
    """A path of the machine it was written on helps nobody elsewhere."""
    names = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in names.rstrip("\0").split("\0"):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        assert str(ROOT).encode() not in data, name
