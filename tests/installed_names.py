"""Says which names of installed packages a service could still be given.

`python tests/installed_names.py`, with the Python of a rendered service and in its folder, fails
unless copier.yml names every distribution of uv.lock and every package that can be imported.
"""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml

COPIER = Path(__file__).parent.parent / "copier.yml"


def main() -> None:
    """Compare the service's environment with the lists in copier.yml."""
    questions = yaml.safe_load(COPIER.read_text())
    taken = {
        name.replace("_", "-")
        for question in ("dependencies", "distributions")
        for name in questions[question]["default"].split()
    }
    ours = tomllib.loads(Path("pyproject.toml").read_text())["project"]["name"]
    lock = tomllib.loads(Path("uv.lock").read_text())
    locked = {package["name"] for package in lock["package"]} - {ours}
    imported = {
        name.replace("_", "-")
        for name, distributions in packages_distributions().items()
        if re.fullmatch("[a-z][a-z0-9_]*", name) and distributions != [ours]
    }
    if missing := sorted((locked | imported) - taken):
        sys.exit(f"add to dependencies or distributions in copier.yml: {' '.join(missing)}")


if __name__ == "__main__":
    main()
