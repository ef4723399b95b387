"""What a service's CI does before it tries the version before on the new tables."""

import subprocess
from pathlib import Path

import pytest
import yaml
from rendering import commit, git, render


def script_of(service: Path, ci: str) -> str:
    """The job's commands, with a word in place of the tests."""
    if ci == "github":
        jobs = yaml.safe_load((service / ".github/workflows/ci.yml").read_text())["jobs"]
        script = str(jobs["version-before"]["steps"][-1]["run"])
    else:
        jobs = yaml.safe_load((service / ".gitlab-ci.yml").read_text())
        script = "\n".join(jobs["version-before"]["script"])
    lines = script.splitlines()
    assert lines[-1].startswith("uv run --directory=../before pytest ")
    return "\n".join([*lines[:-1], "echo it is tested"])


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_the_version_before_is_tried_unless_a_new_migration_wants_it_stopped(
    tmp_path: Path, ci: str
) -> None:
    """Nothing was released, something was, a migration is new, and one that asks for a stop."""
    service = render(tmp_path / "service", ci=ci)
    folder = service / "migrations" / "versions"
    (folder / "old.py").write_text('contract = "stop the release before first"\n')
    commit(service, "Render the template")

    def run() -> str:
        commit(service, "Work")
        command = ["bash", "-e", "-c", script_of(service, ci)]
        done = subprocess.run(command, cwd=service, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if (tmp_path / "before").exists():
            git(service, "worktree", "remove", "--force", "../before")
        return done.stdout.splitlines()[-1]

    (service / "a").touch()
    assert run() == "nothing was released yet"
    git(service, "tag", "v1.0.0", "HEAD^")
    (service / "b").touch()
    assert run() == "it is tested"
    (folder / "c.py").write_text('contract = "no version reads it"\n')
    assert run() == "it is tested"
    (folder / "d.py").write_text('contract = "stop the release before first: why"\n')
    assert run().endswith('d.py:contract = "stop the release before first: why"')
