"""Everything that is run on this template: `nox` checks it, `nox -s demo` shows what it renders."""

import atexit
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "tests", "samples", "update"]

HERE = Path(__file__).parent
SAMPLES = HERE / "tests" / "samples"
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# What reads the text of a service, and finds the same in the same text.
READERS = ["ruff format --check", "ruff check", "mypy", "lint-imports"]

EVERY_TEST = "pytest -n auto"
# CI runs each of them once: `core/`, which is the same in each sample, on the oldest Python with
# the lowest versions, the others on a newer one. `lowest` runs all of them there.
CORE_TESTS = "pytest -n auto -m 'core and not thorough'"
OWN_TESTS = "pytest -n auto -m 'not core and not thorough'"
# What answers change, beside what is rendered at all, and what needs an extra.
ANSWER_TESTS = (
    "pytest -n auto -m 'not core' tests/notifications tests/test_main.py tests/test_settings.py"
    " tests/market/test_candle_parquet.py"
)
# What a team changes shows where the service is put together, and in its own tests.
HOUSE_TESTS = " ".join(
    [
        *(OWN_TESTS, "tests/desk"),
        *("tests/trading/test_messages.py", "tests/trading/test_no_floats.py"),
        *(f"tests/api/test_{name}.py" for name in ("notes", "documentation", "orders", "security")),
        *(f"tests/test_{name}.py" for name in ("cli", "documents", "main", "settings", "tables")),
    ]
)

# What is rendered, the Python to run it on, and what checks it; None is the oldest Python that the
# service allows.
RUNS = [
    nox.param("minimal", "3.13", "highest", [*READERS, OWN_TESTS], id="minimal-3.13"),
    nox.param("full", None, "lowest-direct", [CORE_TESTS, ANSWER_TESTS], id="full-lowest"),
    *(
        nox.param(sample.stem, None, "highest", READERS, id=sample.stem)
        for sample in sorted(SAMPLES.glob("*.yml"))
        if sample.stem != "minimal"
    ),
]


@nox.session
def lint(session: nox.Session) -> None:
    """This repository's own files: format, lint, types, spelling, YAML."""
    install(session, "lint")
    for check in ("ruff format --check", "ruff check", "mypy", "codespell", "yamllint --strict ."):
        with timed(session, check):
            session.run(*check.split())


@nox.session
def tests(session: nox.Session) -> None:
    """What can be said of the template without installing what it renders."""
    install(session, "tests")
    with timed(session, "pytest"):
        session.run("pytest", "--numprocesses=auto", "-m", "not thorough", *session.posargs)


@nox.session
def thorough(session: nox.Session) -> None:
    """What `tests` leaves out: more old versions, more answers; a minute."""
    install(session, "tests")
    session.run("pytest", "--numprocesses=auto", "-m", "thorough")


@nox.session
@nox.parametrize("sample, python, resolution, checks", RUNS)
def samples(
    session: nox.Session, sample: str, python: str | None, resolution: str, checks: list[str]
) -> None:
    """A rendered service, installed, passes its own checks."""
    install(session, "render")
    service = render(session, SAMPLES / f"{sample}.yml", work_folder(session) / sample)
    options = [f"--resolution={resolution}"] + ["--all-extras"] * (sample == "full")
    sync(session, service, python or oldest_python(service), *options)
    with session.chdir(service):
        installed_names = str(HERE / "tests" / "installed_names.py")
        session.run(str(service / ".venv" / "bin" / "python"), installed_names, external=True)
    verify(session, service, *checks)


@nox.session
def lowest(session: nox.Session) -> None:
    """Every test, also the thorough ones, on the oldest Python with the lowest versions."""
    install(session, "render")
    service = render(session, SAMPLES / "full.yml", work_folder(session) / "full")
    sync(session, service, oldest_python(service), "--resolution=lowest-direct", "--all-extras")
    verify(session, service, EVERY_TEST)


@nox.session
def update(session: nox.Session) -> None:
    """A service that its team worked on passes its own checks after an update, and newcomers."""
    install(session, "tests")
    service = work_folder(session) / "service"
    with timed(session, "update"):
        session.run("python", "tests/teamwork.py", str(service))
    sync(session, service, THIS_PYTHON)
    with session.chdir(service):  # as its README says: both sides have added a migration
        merge = 'uv run --no-sync alembic merge heads -m "merge heads"'
        session.run(*shlex.split(merge), env=UV, external=True)
    with timed(session, "documents"):
        session.run("python", "tests/newcomer.py", str(service), env=UV)
        session.run("python", "tests/walkthrough.py", str(service), env=UV)
    verify(session, service, *READERS, HOUSE_TESTS)


@nox.session(reuse_venv=True)
def demo(session: nox.Session) -> None:
    """Render the default service and run it; `nox -s demo -- --port 8001` chooses the port."""
    service = session.cache_dir.absolute() / "demo"
    remove_all_but(service, ".dev", ".venv", "uv.lock")  # a second run is quick and has its data
    with told("Rendering the service"):
        install(session, "render", **QUIET)
        render(session, SAMPLES / "minimal.yml", service, **QUIET)
    with told("Installing it"):
        sync(session, service, THIS_PYTHON, **QUIET)
    become(service, command_of(service), "dev", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Print what the service's parts cost, as ratios measured side by side."""
    service = minimal_service(session)
    python = service / ".venv" / "bin" / "python"
    beside = nox.project.dependency_groups(nox.project.load_toml(), "bench")
    session.run("uv", "pip", "install", f"--python={python}", *beside, env=UV, external=True)
    missed = []
    for benchmark in sorted((HERE / "tests" / "benchmarks").glob("*.py")):
        session.log(benchmark.name)
        with session.chdir(service):
            try:
                session.run(str(python), str(benchmark), external=True)
            except CommandFailed:  # the others are of interest as well
                missed.append(benchmark.name)
    if missed:
        session.error(f"what is wanted was not reached: {', '.join(missed)}")


@nox.session
def cluster(session: nox.Session) -> None:
    """A sweep brings the same on a Dask cluster as here, by what its page shows."""
    install(session, "tests")
    service = minimal_service(session)
    python = service / ".venv" / "bin" / "python"
    beside = nox.project.dependency_groups(nox.project.load_toml(), "cluster")
    session.run("uv", "pip", "install", f"--python={python}", *beside, env=UV, external=True)
    session.run("python", "tests/cluster.py", str(service), env=UV)


@nox.session
@nox.parametrize("kind", ["grid", "hyperrsi"])
def pages(session: nox.Session, kind: str) -> None:
    """What the pages of a service with one kind of strategy show, word by word; a minute."""
    install(session, "tests")
    service = render(session, SAMPLES / f"{kind}.yml", work_folder(session) / "service")
    sync(session, service, THIS_PYTHON)
    names = ("strategies.md", "running-strategies.md", "backtests.md")
    session.run("python", "tests/walkthrough.py", str(service), *names, env=UV)


@nox.session
def faults(session: nox.Session) -> None:
    """Break a rendered service, and print what it answered; `nox -s faults -- overload` picks."""
    service = minimal_service(session)
    python = str(service / ".venv" / "bin" / "python")
    beside = nox.project.dependency_groups(nox.project.load_toml(), "faults")
    command = ["uv", "pip", "install", f"--python={python}", *beside]
    session.run(*command, env=UV, external=True, success_codes=[0, 1, 2])  # one row can do without
    with session.chdir(service), timed(session, "faults"):
        session.run(python, str(HERE / "tests" / "faults"), *session.posargs, external=True)


@nox.session
def browser(session: nox.Session) -> None:
    """The pages of a rendered service, in a Chromium that has to be installed."""
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        session.error("no Chromium on the PATH; Debian has it: apt-get install chromium")
    service = minimal_service(session)
    python = service / ".venv" / "bin" / "python"
    config = [f"--rootdir={service}", "-c", str(service / "pyproject.toml"), "-o", "timeout=300"]
    with session.chdir(service):
        session.run(
            str(python), "-m", "pytest", *config, str(HERE / "tests" / "browser"), external=True
        )


@nox.session
def scale(session: nox.Session) -> None:
    """Thousands of orders behind PgBouncer, and migrations under load: some minutes.

    PGBOUNCER names another PgBouncer than the system's.
    """
    service = minimal_service(session)
    python = service / ".venv" / "bin" / "python"
    config = [f"--rootdir={service}", "-c", str(service / "pyproject.toml"), "-o", "timeout=600"]
    with session.chdir(service):
        tests = [*config, "-s", "-p", "no:logging", str(HERE / "tests" / "scale"), *session.posargs]
        session.run(str(python), "-m", "pytest", *tests, external=True)


@nox.session
def before(session: nox.Session) -> None:
    """What was rendered before the newest migration passes its own tests with it."""
    install(session, "render")
    answers, work = SAMPLES / "minimal.yml", work_folder(session)
    today = render(session, answers, work / "today")
    service = render(session, answers, work / "before", version=before_newest_migration())
    for path in new_migrations(today, service):
        if '\ncontract = "stop the release before' in path.read_text():
            session.skip(f"{path.name} wants what was rendered before to be stopped first")
    shutil.rmtree(service / "migrations" / "versions")
    shutil.copytree(today / "migrations" / "versions", service / "migrations" / "versions")
    sync(session, service, THIS_PYTHON)
    verify(session, service, "pytest -n auto tests/api tests/trading")


# --- The verbs of the sessions -------------------------------------------------------------------


# Of a command that fails, nox shows all that it has printed.
QUIET: dict[str, Any] = {"silent": True, "log": False}


def install(session: nox.Session, group: str, **how: Any) -> None:
    """Install a dependency group of pyproject.toml into the session's environment."""
    with timed(session, "install"):
        session.install(*nox.project.dependency_groups(nox.project.load_toml(), group), **how)


def work_folder(session: nox.Session) -> Path:
    """A folder that is empty at the start of each run of the session."""
    folder = Path(session.env_dir).absolute() / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def render(
    session: nox.Session, answers: Path, service: Path, version: str = "HEAD", **how: Any
) -> Path:
    """Render the template as it is in the working tree, committed or not, or as it once was."""
    options = ["--quiet", "--defaults", "--overwrite", f"--vcs-ref={version}"]
    with timed(session, "render"):
        command = ["copier", "copy", *options, f"--data-file={answers}", str(HERE), str(service)]
        session.run(*command, env=COMPILED, **how)
        # A repository of its own: Hatchling and Ruff heed the .gitignore of the one around, too.
        session.run("git", "init", "--quiet", str(service), external=True, **how)
    return service


def sync(session: nox.Session, service: Path, python: str, *options: str, **how: Any) -> None:
    """Install the service and its development dependencies into its .venv."""
    interpreter = find_python(python)
    if interpreter is None:
        session.skip(f"Python {python} is not installed")
    command = ["uv", "sync", f"--directory={service}", f"--python={interpreter}", *options]
    with timed(session, "sync"):
        session.run(*command, env=UV, external=True, **how)


def verify(session: nox.Session, service: Path, *checks: str) -> None:
    """Run checks that the service's own README and CI name."""
    # What samples have in common is read once: mypy knows a file by its path from where it runs.
    known = {"MYPY_CACHE_DIR": str(session.cache_dir.absolute() / "mypy")}
    with session.chdir(service):
        for check in checks:
            words = shlex.split(check)
            with timed(session, words[0]):
                session.run("uv", "run", "--no-sync", *words, env=UV | known, external=True)


def minimal_service(session: nox.Session) -> Path:
    """Render the default service and install it; return its folder."""
    install(session, "render")
    service = render(session, SAMPLES / "minimal.yml", work_folder(session) / "service")
    sync(session, service, THIS_PYTHON)
    return service


def before_newest_migration() -> str:
    """The commit before the last one that changed the template's migrations."""
    log = ["log", "--max-count=1", "--format=%H", "--", "template/migrations/versions"]
    commit = output_of("git", "-C", str(HERE), *log)
    return f"{commit}^"


def new_migrations(service: Path, before: Path) -> list[Path]:
    """The migrations of a service that it did not have before."""
    known = {path.name for path in (before / "migrations" / "versions").iterdir()}
    folder = service / "migrations" / "versions"
    return sorted(path for path in folder.iterdir() if path.name not in known)


def oldest_python(service: Path) -> str:
    """The oldest Python that the service allows."""
    (oldest,) = re.findall(r">=(3\.\d+)", project_of(service)["requires-python"])
    return str(oldest)


def command_of(service: Path) -> Path:
    """The service's own command, installed."""
    (name,) = project_of(service)["scripts"]
    return service / ".venv" / "bin" / str(name)


def project_of(service: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((service / "pyproject.toml").read_text())["project"]
    return project


@contextmanager
def told(what: str) -> Iterator[None]:
    """Say on one line what is going on, and how long it took."""
    started = time.monotonic()
    print(f"{what} ... ", end="", flush=True)
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"done in {time.monotonic() - started:.1f} s", flush=True)


TIMES: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))


@contextmanager
def timed(session: nox.Session, step: str) -> Iterator[None]:
    """Note how long a step takes, for the table that is printed when all is done."""
    if not TIMES:
        atexit.register(print_times)
    started = time.monotonic()
    try:
        yield
    finally:
        TIMES[session.name][step.split(maxsplit=1)[0]] += time.monotonic() - started


def print_times() -> None:
    """Print where the time went, in seconds: a row for each session, with its steps."""
    TIMES.pop("demo", None)  # it has told
    width = max(map(len, TIMES), default=0) + 2
    for name, steps in TIMES.items():
        figures = "  ".join(f"{step} {seconds:.0f}" for step, seconds in steps.items())
        print(f"{name:{width}}{sum(steps.values()):5.0f} s  {figures}")


def become(folder: Path, program: Path, *args: str) -> None:
    """Replace this process, so that Ctrl-C and SIGTERM reach the program and no one else."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(folder)
    environment = {name: value for name, value in os.environ.items() if name not in COMPILED}
    os.execve(program, [str(program), *args], environment)


def remove_all_but(folder: Path, *names: str) -> None:
    """Empty a folder, if it exists, of all but some names."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.name in names:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


# Where this is set, each of many processes would compile all of its imports anew.
COMPILED = {"PYTHONDONTWRITEBYTECODE": None}

# The service's environment is its own .venv, on a Python that is there already.
UV = {
    **COMPILED,
    "UV_PROJECT_ENVIRONMENT": None,
    "UV_PYTHON": None,
    "UV_PYTHON_DOWNLOADS": "never",
    "VIRTUAL_ENV": None,
}


def find_python(version: str) -> str | None:
    """An interpreter of this version that runs; None if there is none."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates(version):
        if output_of(candidate, "-c", ask) == version:
            return candidate
    return None


def candidates(version: str) -> Iterator[str]:
    """Where an interpreter may be; what pyenv puts on the PATH often doesn't run."""
    yield sys.executable
    yield f"python{version}"
    with suppress(OSError):  # the folder may be another user's
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        yield from sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")))
    if managed := output_of("uv", "python", "find", "--managed-python", "--offline", version):
        yield managed


def output_of(*command: str) -> str | None:
    """What a command prints; None if it can't be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
