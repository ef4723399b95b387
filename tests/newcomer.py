"""Does what the READMEs and the tutorial tell a newcomer, word by word.

`python tests/newcomer.py SERVICE` runs `dev` in a rendered service whose environment is installed,
then each command that a document shows after it, and compares what is shown with what comes.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).parent.parent
FIRST_PORT = 8137
LONGEST_WAIT = 120  # seconds
LONGEST_TEST = 900
ENDS = re.compile(r"^## (?:What it needs|Every day)$", re.MULTILINE)
BLOCK = re.compile(r"^```(?:json)?\n(.*?)^```$|((?:^ {4}[^\n]*\n)+)", re.DOTALL | re.MULTILINE)
ANSWER_ID = re.compile(r'"id": ?"([0-9a-f-]{36})"')
# What comes a moment later: in the answer to this, that is waited for.
AWAITED = {" strategy list": "! grep ' starting '", " strategy notes ": "grep ."}
# What differs from one run to the next.
CHANGING = [
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)"), "TIME"),
    (re.compile(r"sk_a_[\w-]{43}"), "KEY"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "TIME"),
    (re.compile(r"in \d+\.\d+ ?s"), "in SECONDS"),
    (re.compile(r"(starts? at|^At) [\d.]+"), r"\1 PRICE"),
    (re.compile(r"(market +)[\d.]+"), r"\1QTY"),
    (
        re.compile(r"TIME  (?:entry|exit|stays|no_signal): .+"),
        "TIME  DECISION",
    ),  # as the price has it
    (re.compile(r"   +"), "  "),  # a column is as wide as what stands in it
    (re.compile(r'("(?:\w*price|unrealized_pnl|fees)": ?)"-?[\d.]+"'), r'\1"PRICE"'),
]


def main(service: Path) -> None:
    """Try each document in a folder of its own, two at a time: mostly one waits."""
    documents = (service / "README.md", ROOT / "README.md", ROOT / "docs" / "tutorial.md")
    texts = [document.read_text() for document in documents]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(max_workers=2) as two:
        folders = [copy_of(service, Path(folder) / str(n)) for n in range(len(texts))]
        list(two.map(follow, texts, folders, count(FIRST_PORT)))


def copy_of(service: Path, folder: Path) -> Path:
    """Copy a service with no data; what is installed is that of the original."""
    shutil.copytree(service, folder, ignore=shutil.ignore_patterns(".venv", ".dev", ".git"))
    (folder / ".venv").symlink_to(service / ".venv")
    return folder


def follow(text: str, service: Path, port: int) -> None:
    """Run `dev` and what the text shows after it, up to where it is about something else."""
    text = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", ENDS.split(text)[0])
    blocks = BLOCK.findall(text)
    [first] = [n for n, (shown, _) in enumerate(blocks) if "\nServing " in shown]
    with dev(service, port) as greeting:
        shown = blocks[first][0]
        compare(shown[shown.index("Starting ") :], greeting)
        terminal = Terminal(service)
        came = ""
        if blocks[first + 1][0]:  # what is offered is answered next
            offered = [line.strip() for line in greeting.splitlines() if line.startswith("  ")]
            came = "\n".join(map(terminal.run, offered))
        for shown, typed in blocks[first + 1 :]:
            if shown:
                terminal.ids |= compare(shown, came)
                came = ""
            else:
                came = "\n".join([came, *map(terminal.run, commands_in(typed))])


@contextmanager
def dev(service: Path, port: int) -> Iterator[str]:
    """Run `dev`; yield what it has printed when it serves."""
    program = tomllib.loads((service / "pyproject.toml").read_text())["project"]["name"]
    process = subprocess.Popen(
        [service / ".venv" / "bin" / program, "dev", "--port", str(port)],  # itself, to be killed
        cwd=service,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        greeting = read_until("Serving ", process)
        # A busy machine may not have compared the books yet; who types is slower than that.
        ready = f"http://127.0.0.1:{port}/health/ready"
        waiting = ["curl", "-sf", "--retry", "60", "--retry-delay", "1", ready]
        subprocess.run(waiting, check=True, stdout=subprocess.DEVNULL)
        yield greeting
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def read_until(beginning: str, process: "subprocess.Popen[str]") -> str:
    """Read lines up to one that begins so; fail where the process ends before it."""
    ending = Timer(LONGEST_WAIT, process.kill)  # or the loop below would wait for ever
    ending.start()
    try:
        assert process.stdout is not None
        read = ""
        for line in process.stdout:
            read += line
            if line.startswith(beginning):
                return read
        sys.exit(f"no line begins with {beginning!r}: {read}")
    finally:
        ending.cancel()


def commands_in(typed: str) -> list[str]:
    """Return the commands of an indented block, of one line or more."""
    commands = [""]
    for line in typed.splitlines():
        commands[-1] += f"{line[4:]}\n"
        check = ["bash", "-n", "-c", commands[-1]]
        is_whole = subprocess.run(check, capture_output=True, check=False).returncode == 0
        if is_whole and not line.endswith("\\"):
            commands.append("")
    return commands[:-1]


class Terminal:
    """Remembers what was set, and runs commands with it."""

    def __init__(self, service: Path) -> None:
        self.ids: dict[str, str] = {}
        self._service = service
        self._set = ""

    def run(self, command: str) -> str:
        """Return what a command prints; one that fails ends all of it.

        A stream is left after the first event of a position. What is AWAITED is asked for again.
        """
        for shown, own in self.ids.items():
            command = command.replace(shown, own)
        command = command.replace("uv run", "uv run --no-sync")
        if re.match(r"(?:export )?[\w-]+(?:=|\(\))", command):
            self._set += f"{command}\n"
            return ""
        print(f"$ {command.rstrip()}", flush=True)
        for reading, wanted in AWAITED.items():
            if reading in command:
                asking = f'came="$({command.rstrip()})" && {wanted} <<<"$came" >/dev/null'
                command = f'until {asking}; do sleep 0.5; done; echo "$came"'
        if "/stream" not in command:
            return self._printed(command)
        with self._bash(f"exec {command}") as following:
            printed = read_until("event: position", following)
            following.kill()
        return printed

    def _printed(self, command: str) -> str:
        running = self._bash(command)
        printed = running.communicate(timeout=LONGEST_TEST)[0]
        if running.returncode:
            sys.exit(f"{command.rstrip()} has ended with {running.returncode}: {printed}")
        return printed

    def _bash(self, command: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["bash", "-c", self._set + command],
            cwd=self._service,
            stdout=subprocess.PIPE,
            text=True,
        )


def compare(shown: str, came: str) -> dict[str, str]:
    """Find each line that is shown in what came, in that order; return which id is which."""
    if "\n " in shown and shown.startswith("{"):  # told to be on one line
        shown = json.dumps(json.loads(shown), separators=(",", ":"))
    ids: dict[str, str] = {}
    rest = iter(came.splitlines())
    for line in filter(None, shown.splitlines()):
        pattern = re.escape(unchanging(line)).replace(re.escape("..."), ".*")
        for found in rest:
            if re.fullmatch(pattern, unchanging(found)):
                ids |= dict(zip(ANSWER_ID.findall(line), ANSWER_ID.findall(found), strict=False))
                break
        else:
            sys.exit(f"This is shown:\n{line}\nand this has come:\n{came}")
    return ids


def unchanging(line: str) -> str:
    """Return a line without what differs from run to run."""
    for pattern, name in CHANGING:
        line = pattern.sub(name, line)
    return line.rstrip()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
