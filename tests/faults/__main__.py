"""Breaks a rendered service in every way that scenarios/ has, and prints what came of it.

`nox -s faults` runs all; `nox -s faults -- overload` those that it names. A scenario is a module
with `run() -> list[Row]`. Exits with 1 where a promise is missed.
"""

import importlib
import sys
from pathlib import Path

from table import Row, print_table

sys.path.append(str(Path.cwd()))  # for what the service's own tests have, such as a PgBouncer
SCENARIOS = sorted(path.stem for path in (Path(__file__).parent / "scenarios").glob("[!_]*.py"))


def main(names: list[str]) -> int:
    if unknown := set(names) - set(SCENARIOS):
        raise SystemExit(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    rows: list[Row] = []
    for name in names or SCENARIOS:
        print(f"{name} ...", flush=True)
        rows += importlib.import_module(f"scenarios.{name}").run()
    print_table(rows)
    return 0 if all(row.is_right for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
