"""The audit log: every line is there, none holds what was forgotten or a question that is not to be kept."""

from __future__ import annotations

import threading
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from backends.access.audit import FORGOTTEN, AuditData, AuditLog, Auditor


def test_lines_of_many_writers_are_all_there(tmp_path: Path) -> None:
    def write(person: str) -> None:
        for number in range(10):
            AuditLog(tmp_path).record("read", person, [f"{number}.md"])

    threads = [threading.Thread(target=write, args=(f"p{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = list(AuditLog(tmp_path).entries())
    assert len(entries) == 40
    for n in range(4):
        mine = [entry.documents[0] for entry in entries if entry.person == f"p{n}"]
        assert mine == [f"{number}.md" for number in range(10)]


def test_a_question_is_kept_only_where_that_is_allowed(tmp_path: Path) -> None:
    Auditor(AuditLog(tmp_path), "ada")("asked", ["a.md", "a.md"], detail="rag", question="Who is ill?")
    Auditor(AuditLog(tmp_path, questions=True), "bob", view="hr")("asked", ["a.md"], question="Who is ill?")
    first, second = AuditLog(tmp_path).entries()
    assert (first.documents, first.detail, first.question) == (("a.md",), "rag", "")
    assert (second.question, second.detail) == ("Who is ill?", "viewed as hr")


names = st.sampled_from(["a.md", "b.md", "notes/ü \u2028.txt", 'q"uote.md'])
places = st.sampled_from(["", "person-1"])


@settings(max_examples=20, deadline=None)  # every line is on the disk before the next
@given(st.lists(st.tuples(st.lists(names, max_size=3), places), max_size=4), names, places)
def test_forgetting_takes_a_name_out_of_its_own_documents_and_keeps_every_line(
    tmp_path_factory, written: list[tuple[list[str], str]], name: str, place: str
) -> None:
    base = tmp_path_factory.mktemp("audit")
    log = AuditLog(base, questions=True)
    for documents, copy in written:
        log.record("asked", "ada", documents, copy=copy, question="Who?")
    before = list(log.entries())
    workspace = base / "sessions" / place if place else base
    gave_up = AuditData().forget(workspace, name)
    after = list(log.entries())
    hit = [entry.copy == place and name in entry.documents for entry in before]
    assert gave_up.questions == sum(hit) and len(after) == len(before)
    for old, new, touched in zip(before, after, hit, strict=True):
        assert (old.at, old.person, old.action, old.copy) == (new.at, new.person, new.action, new.copy)
        if touched:
            assert name not in new.documents and FORGOTTEN in new.documents and not new.question
            assert set(new.documents) - {FORGOTTEN} == set(old.documents) - {name}
        else:
            assert new == old
