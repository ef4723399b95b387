"""What Prometheus makes of the rendered alert rules, and what compose lets a container do."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from rendering import ROOT, render

RULES = Path("deploy/prometheus/rules.yml")
PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not on the PATH")
def test_prometheus_takes_the_rules_and_fires_them_when_it_should(tmp_path: Path) -> None:
    """Each case of alerts.yml says what is scraped, and which alert that is, in which words."""
    rules = render(tmp_path / "service") / RULES
    shutil.copy(ROOT / "tests" / "alerts.yml", rules.parent)
    promtool("check", "rules", rules.name, folder=rules.parent)
    promtool("test", "rules", "alerts.yml", folder=rules.parent)


def promtool(*arguments: str, folder: Path) -> None:
    assert PROMTOOL
    done = subprocess.run(
        [PROMTOOL, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_compose_runs_of_ours_can_write_nothing_and_gains_no_right(tmp_path: Path) -> None:
    compose = yaml.safe_load((render(tmp_path / "service") / "deploy/compose.yaml").read_text())
    ours = [one for one in compose["services"].values() if "build" in one]
    assert len(ours) == 2
    for service in ours:
        assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
