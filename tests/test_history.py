"""Services that older versions of this template rendered can be updated to today's."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from rendering import ROOT, commit, files_of, git, render
from teamwork import released_on_history, update

FIRST = "33ef4e5312e452bb5dcd8f833347d34b7d727a6d"  # that rendered a service
OLD = {
    "first": FIRST,
    "before alerts": "b78b045543c36be268bae7213e1cfacd40bb4889",
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree, released on top of this repository's history."""
    return released_on_history(tmp_path_factory.mktemp("template"))


@pytest.mark.parametrize("sample", ["minimal"])
@pytest.mark.parametrize("version", OLD.values(), ids=OLD)
def test_update_of_an_untouched_old_service_is_a_fresh_render(
    tmp_path: Path, template: Path, version: str, sample: str
) -> None:
    """Whenever a service was rendered, an update brings it to where a newcomer starts."""
    given = answers_that_were_asked(template, version, sample)
    service = render(tmp_path / "service", template, version, **given)
    commit(service, "Render the template")
    fresh = render(tmp_path / "fresh", template, **given)
    assert files_of(update(service)) == files_of(fresh)


def answers_that_were_asked(template: Path, version: str, sample: str) -> dict[str, Any]:
    """The answers of a sample to the questions that an old version had."""
    answers = yaml.safe_load((ROOT / "tests" / "samples" / f"{sample}.yml").read_text())
    questions = yaml.safe_load(git(template, "show", f"{version}:copier.yml"))
    return {name: answer for name, answer in answers.items() if name in questions}
