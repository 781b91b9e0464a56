"""The files under `deploy/`, as far as they can be checked without an engine: all that they name is there."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

from backends.cli import main
from backends.system.commands import GRACE

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
NOT_OURS = {"TRIPTYCH_STORE"}  # read by libraries and by verbs through its option


def steps() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Containerfile, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1].strip()) for line in lines]


def is_verb(arguments: list[str]) -> bool:
    """Whether these are a verb of the command line, with options that it has."""
    group = typer.main.get_command(main.app)
    command = group.commands[arguments[0]]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts}
    return {each for each in arguments[1:] if each.startswith("--")} <= options


def test_a_worker_is_given_the_time_to_end_its_verb_in_order_and_is_started_again() -> None:
    text = (DEPLOY / "triptych-worker.service").read_text()
    seconds = re.search(r"TimeoutStopSec=(\d+)", text)
    assert seconds is not None and float(seconds[1]) > GRACE
    assert "Restart=always" in text and "KillMode=mixed" in text
    worker = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["worker"]
    assert float(worker["stop_grace_period"].removesuffix("s")) > GRACE
    assert worker["restart"] == "unless-stopped"


def test_the_image_copies_what_is_there_and_all_that_serving_needs() -> None:
    copied: set[str] = set()
    for instruction, arguments in steps():
        if instruction == "COPY":
            *sources, _ = [each for each in arguments.split() if not each.startswith("--")]
            for source in sources:
                assert (ROOT / source).exists(), source
                copied.add(source)
    assert {"app.py", "launch", "backends", "pages", "models", "sample_corpus", ".streamlit"} <= copied
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert not copied & set(ignored) and {".git", "**/sign_in.toml", "**/secrets.toml"} <= set(ignored)


def test_the_image_serves_as_nobody_special_and_keeps_what_it_writes() -> None:
    made = steps()
    assert made[0] == ("FROM", "python:3.11-slim")
    instructions = dict(made)
    assert instructions["USER"] != "root" and instructions["VOLUME"] == "/data"
    assert "TRIPTYCH_WORKSPACE=/data" in instructions["ENV"]
    program, *arguments = yaml.safe_load(instructions["CMD"])
    assert program == "triptych" and is_verb(arguments)
    assert arguments[arguments.index("--port") + 1] == instructions["EXPOSE"]


def test_the_compose_file_fits_the_image_and_itself() -> None:
    made = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = made["services"]
    for name in ("app", "worker"):
        build = services[name]["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Containerfile"
        assert services[name]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["worker"]["environment"].items() <= services["app"]["environment"].items()
    program, *arguments = services["worker"]["command"]
    assert program == "triptych" and is_verb(arguments)
    for service in services.values():
        assert {volume.split(":")[0] for volume in service["volumes"]} <= set(made["volumes"])
        assert set(service.get("depends_on", {})) <= set(services)
    host = re.search(r"@(\w+)/", services["app"]["environment"]["TRIPTYCH_STORE"])
    assert host is not None and host[1] in services
    secrets = {n for n in services["app"]["environment"] if n.startswith("TRIPTYCH_")} - NOT_OURS
    known = (ROOT / "backends" / "access" / "sign_in.py").read_text()
    assert secrets and all(name in known for name in secrets)
    assert "POSTGRES_PASSWORD:?" in (DEPLOY / "compose.yaml").read_text()  # never a default


@pytest.mark.parametrize("name", ["triptych", "triptych-worker"])
def test_a_unit_starts_a_verb_and_writes_only_where_it_may(name: str) -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(DEPLOY / f"{name}.service")
    service = unit["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    assert program.endswith("/.venv/bin/triptych") and is_verb(arguments)
    assert service["ProtectSystem"] == "strict" and service["StateDirectory"] == "triptych"
    text = (DEPLOY / f"{name}.service").read_text()
    assert "TRIPTYCH_WORKSPACE=/var/lib/triptych" in text and "0700" in service["StateDirectoryMode"]
