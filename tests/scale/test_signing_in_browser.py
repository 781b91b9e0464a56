"""People sign in at a provider, in a browser: each sees their own, nobody anything before or after."""

from __future__ import annotations

import json
import os
import random
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backends.access.audit import AuditLog
from tests.browser.serving import chromium_path, free_port, running
from tests.scale.conftest import needed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        chromium_path() is None and os.environ.get("TRIPTYCH_BROWSER_TESTS") != "required",
        reason="Chromium is not installed",
    ),
]
HERE = Path(__file__).resolve().parent
WAIT = 90_000  # milliseconds; a busy machine is slow, not wrong
LOADING = 240  # seconds until the libraries of models are loaded
PEOPLE = {"ada": ["finance-team"], "ben": ["people-team"], "eve": ["owners"], "mal": ["strangers"]}
SECRETS = {"ada": "heliotrope", "ben": "vermilion"}
NAMES = {"ada": "a-finance.md", "ben": "a-people.md"}
SIGN_IN = """
[provider]
name = "Harbour"
metadata_url = "http://127.0.0.1:{provider}/.well-known/openid-configuration"
client_id = "triptych"
redirect_uri = "http://localhost:{port}/oauth2callback"
[people]
owners = ["owners"]
[roles]
finance-team = ["finance"]
people-team = ["hr"]
[audit]
questions = true
"""
ABOUT = (
    "the salary of the captain",
    "the budget of the harbour",
    "the ferry at noon",
    "all that is secret here",
)
ASKED = (
    "What is {0}?",
    "Who decides {0}?",
    "Which document speaks of {0}?",
    "Say everything about {0}, please.",
)
QUESTIONS = 25  # of each person


@dataclass(frozen=True)
class Served:
    address: str
    provider: str
    workspace: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    needed("authlib")
    needed("oidc_provider_mock")
    home = tmp_path_factory.mktemp("signed-in")
    workspace, model = home / "workspace", home / "model"
    workspace.mkdir()
    port, provider = free_port(), free_port()
    (workspace / "sign_in.toml").write_text(SIGN_IN.format(provider=provider, port=port))
    users = [json.dumps({"sub": who, "name": who.title(), "groups": at}) for who, at in PEOPLE.items()]
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(provider)]
    command += [part for user in users for part in ("--user-claims", user)]
    environment = {
        "TRIPTYCH_WORKSPACE": str(workspace), "TRIPTYCH_MODEL": str(model), "TRIPTYCH_MAX_TOKENS": "8",
        "TRIPTYCH_RERANK": "false", "TRIPTYCH_CONTEXT_TOKENS": "64", "TRIPTYCH_CLIENT_SECRET": "any",
        "TRIPTYCH_COOKIE_SECRET": "not-a-secret-" * 3, "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    serving = [sys.executable, "-m", "uvicorn", "signed_in_server:app", "--app-dir", str(HERE)]
    with (
        running(command, {}, home / "provider.txt", f"http://127.0.0.1:{provider}", path="") as (at, _),
        running(
            [*serving, "--port", str(port)], environment, home / "log.txt", f"http://localhost:{port}"
        ) as (address, _),
    ):
        wait_until_ready(address)
        yield Served(address, at, workspace)


def wait_until_ready(address: str) -> None:
    """Asking begins the loading: whoever comes then finds the product open."""
    deadline = time.monotonic() + LOADING
    while True:
        try:
            with urllib.request.urlopen(f"{address}/ready") as said:
                assert json.load(said) == {"ready": True, "state": "ready"}
                return
        except urllib.error.HTTPError as error:
            assert (error.code, json.load(error)["state"]) == (503, "opening")
            assert time.monotonic() < deadline, "it never became ready"
            time.sleep(0.2)


@pytest.fixture
def arrive(served: Served, browser: Browser) -> Iterator[Callable[..., Page]]:
    """A new browser session at the door."""
    contexts = []

    def come(path: str = "") -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(WAIT)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{served.address}/{path}")
        expect(page.get_by_role("heading", name="Sign in to Triptych")).to_be_visible(timeout=WAIT)
        return page

    yield come
    for context in contexts:
        context.close()


def sign_in(page: Page, who: str) -> Page:
    page.get_by_role("button", name="Sign in with Harbour").click()
    page.get_by_role("button", name=who, exact=True).click()
    return page


def inside(page: Page, who: str) -> Page:
    expect(page.get_by_text(f"{who.title()}, signed in until")).to_be_visible(timeout=WAIT)
    return page


def documents(page: Page, served: Served) -> Page:
    page.goto(f"{served.address}/documents")
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible(timeout=WAIT)
    return page


def all_text(page: Page) -> str:
    return str(page.evaluate("document.documentElement.outerHTML"))


def test_two_people_of_different_groups_never_see_each_others_documents(
    arrive: Callable[..., Page], served: Served, tmp_path: Path
) -> None:
    door = arrive("documents")
    assert not any(name in all_text(door) for name in ("ferry", "Documents asked", "Library health"))
    people = {}
    for who, other in (("ada", "ben"), ("ben", "ada")):
        page = documents(inside(sign_in(arrive(), who), who), served)
        expect(page.get_by_text(SECRETS[who])).to_be_visible(timeout=WAIT)  # the first document is open
        shown = all_text(page)
        assert SECRETS[other] not in shown and NAMES[other] not in shown and NAMES[who] in shown
        people[who] = page
    note = tmp_path / "0-note.txt"
    note.write_text("Only Ada knows the word saffron.")
    people["ada"].locator("input[type=file]").first.set_input_files(note)
    expect(people["ada"].get_by_text("Your own copy")).to_be_visible(timeout=WAIT)
    again = documents(inside(sign_in(arrive(), "ada"), "ada"), served)  # another browser
    expect(again.get_by_text("saffron")).to_be_visible(timeout=WAIT)
    shown = all_text(documents(people["ben"], served))
    expect(people["ben"].get_by_text(SECRETS["ben"])).to_be_visible(timeout=WAIT)
    assert "saffron" not in shown and "0-note" not in all_text(people["ben"])
    log = list(AuditLog(served.workspace).entries())
    assert {e.name for e in log if e.action == "signed in"} == {"Ada", "Ben"}
    assert [(e.documents, bool(e.copy)) for e in log if e.action == "added"] == [(("0-note.txt",), True)]


def ask(page: Page, question: str, log: AuditLog) -> None:
    """Ask it, and wait until it is answered."""
    box = page.get_by_label("Ask a question about the documents")
    box.fill(question)
    box.press("Enter")
    deadline = time.monotonic() + WAIT / 1000
    while not any(entry.question == question for entry in log.entries()):
        assert time.monotonic() < deadline, f"never asked: {question}"
        time.sleep(0.1)
    expect(page.locator(".st-key-card-rag")).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("button", name="Stop")).to_have_count(0, timeout=WAIT)


def test_no_question_shows_one_of_them_what_the_other_may_read(
    arrive: Callable[..., Page], served: Served
) -> None:
    pages = {who: inside(sign_in(arrive(), who), who) for who in ("ada", "ben")}
    draw, log = random.Random(20), AuditLog(served.workspace)
    for number in range(QUESTIONS):
        for who, other in (("ada", "ben"), ("ben", "ada")):
            about = draw.choice(ABOUT[:2]) if number % 2 else draw.choice(ABOUT)
            ask(pages[who], f"{draw.choice(ASKED).format(about)} ({who} {number})", log)
            shown = all_text(pages[who])
            assert SECRETS[other] not in shown and NAMES[other] not in shown
    asked = [entry for entry in log.entries() if entry.action == "asked" and entry.question]
    for who, other in (("ada", "ben"), ("ben", "ada")):
        found = [entry for entry in asked if f"({who} " in entry.question]
        assert len({entry.question for entry in found}) == QUESTIONS
        named = {name for entry in found for name in entry.documents}
        assert NAMES[who] in named and NAMES[other] not in named


def test_strangers_and_ended_sign_ins_are_refused(arrive: Callable[..., Page], served: Served) -> None:
    page = sign_in(arrive(), "mal")
    expect(page.get_by_text("none of your groups may use this Triptych")).to_be_visible(timeout=WAIT)
    # Within what the provider's library lets pass for clocks that differ, and over for us.
    claims = {"name": "Old", "groups": ["owners"], "exp": int(time.time()) - 30}
    request = urllib.request.Request(
        f"{served.provider}/users/old", json.dumps(claims).encode(), {"Content-Type": "application/json"},
        method="PUT",
    )  # fmt: skip
    urllib.request.urlopen(request).close()
    page = arrive()
    page.get_by_role("button", name="Sign in with Harbour").click()
    page.get_by_placeholder("sub").fill("old")
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text("Your sign-in has ended")).to_be_visible(timeout=WAIT)
    assert "Documents asked" not in all_text(page)


def test_signing_out_ends_it(arrive: Callable[..., Page], served: Served) -> None:
    page = inside(sign_in(arrive(), "eve"), "eve")
    expect(page.get_by_test_id("stSidebar").get_by_text("View as")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("end_session"))  # at the provider
    page.goto(served.address)
    expect(page.get_by_role("heading", name="Sign in to Triptych")).to_be_visible(timeout=WAIT)
