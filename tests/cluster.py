"""Has a sweep done here and by a Dask cluster, as the page on backtests says, and compares.

`python tests/cluster.py SERVICE` runs the two commands of the page and its lines of Python in a
rendered service whose environment has `distributed`, on a scheduler and two workers.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newcomer import Terminal, commands_in
from walkthrough import ON_A_CLUSTER, PYTHON, SHELL, indented

ADDRESS = "tcp://127.0.0.1:8786"
WRITE_CANDLES = """
from pathlib import Path
from tests.backtests.series import s1_file
s1_file(Path()).rename("btc.csv")
"""
COUNT_TASKS = f"""
from distributed import Client
with Client("{ADDRESS}") as client:
    done = client.run(lambda dask_worker: dask_worker.state.executed_count)
assert len(done) == 2, done
print(sum(done.values()))
"""
BEFORE_PYTHON = """
import joblib
from distributed import Client
from {package}.backtests.asking import Asked, backtest_with, understand
from {package}.backtests.sweep import sweep

asked = Asked("hyperrsi", "BTC-USDT", "15m", "10000", candles="btc.csv")
found = understand(asked)
candles = found.candles
varied = [{{"rsi_length": str(length)}} for length in range(7, 22)]
backtests = [backtest_with(asked, found, settings)[0] for settings in varied]
"""
AFTER_PYTHON = """
assert tries == sweep(candles, backtests, jobs=1)
assert len(set(tries)) > 5
"""


def main(service: Path) -> None:
    """Sweep here and there, and find the same; and find that there was work for the workers."""
    text = (service / "docs" / "backtests.md").read_text()
    sweeps = [block for block in SHELL.finditer(text) if " backtest sweep " in block[1]]
    here, there = sweeps
    assert [bool(ON_A_CLUSTER.search(block[0])) for block in sweeps] == [False, True]
    (snippet,) = (block for block in PYTHON.findall(text) if "joblib" in block)
    run_python(service, WRITE_CANDLES)
    with cluster(service):
        run(service, indented(here))
        assert tasks_done(service) == 0
        run(service, indented(there))
        by_command = tasks_done(service)
        tables = [(service / folder / "sweep.csv").read_bytes() for folder in folders(text)]
        assert tables[0] == tables[1]
        assert len(set(tables[0].splitlines())) > 5, "they are all the same"
        package = (service / "src").glob("*/__init__.py")
        before = BEFORE_PYTHON.format(package=next(package).parent.name)
        run_python(service, before + snippet.removeprefix("```python").rstrip("`") + AFTER_PYTHON)
        by_python = tasks_done(service) - by_command
    assert by_command > 0, "the cluster was not asked by the command"
    assert by_python > 0, "the cluster was not asked by Python"
    print(f"The cluster has done {by_command} and {by_python} tasks; all is as without it.")


def folders(text: str) -> list[str]:
    return re.findall(r"--holdout 30% --out ([\w-]+)", text)


@contextmanager
def cluster(service: Path) -> Iterator[None]:
    """Run a scheduler and two workers."""
    dask = [str(service / ".venv" / "bin" / "dask")]
    scheduler = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "8786", "--no-dashboard"]
    worker = [*dask, "worker", ADDRESS, "--nthreads", "1", "--no-dashboard"]
    running = [
        subprocess.Popen(command, cwd=service, stderr=subprocess.DEVNULL)
        for command in (scheduler, worker, worker)
    ]
    try:
        waiting = f"from distributed import Client; Client('{ADDRESS}').wait_for_workers(2, 60)"
        run_python(service, waiting)
        yield
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)


def tasks_done(service: Path) -> int:
    return int(run_python(service, COUNT_TASKS))


def run_python(service: Path, code: str) -> str:
    command = [str(service / ".venv" / "bin" / "python"), "-c", code]
    return subprocess.run(
        command, cwd=service, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def run(service: Path, typed: str) -> None:
    """Run the commands of a block."""
    program = tomllib.loads((service / "pyproject.toml").read_text())["project"]["name"]
    terminal = Terminal(service)
    terminal.run(f'{program}() {{ uv run {program} "$@"; }}')
    for command in commands_in(typed):
        terminal.run(command)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
