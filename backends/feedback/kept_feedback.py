"""Opens what people leave behind: their votes, what they judged, the log of questions.

Enters: a workspace and whose it is. Leaves: the stores, in files of the workspace or in the database that its
settings name. What lay in files before the workspace had a database is moved there by whoever opens it first.
"""

from __future__ import annotations

from pathlib import Path

from backends.feedback.judged_answers import JudgedAnswers, JudgedStore
from backends.feedback.retrieval_log import Monitor, QuestionLog
from backends.feedback.votes import Votes, VoteStore
from backends.postgres.addresses import records_address
from backends.system.data_holder import GaveUp
from backends.system.viewers import SESSIONS, viewer_folder, workspace_and_person


def open_votes(workspace: Path, person: str, role: str | None = None) -> VoteStore:
    """One viewer's votes."""
    folder = viewer_folder(workspace, person, role)
    file = Votes(folder)
    if not (address := records_address(workspace)):
        return file
    from backends.feedback.feedback_rows import PostgresVotes  # of the extra `scale`

    shared = PostgresVotes(address, folder.name)
    if file.path.exists():
        shared.take(file.rows())
        file.path.unlink(missing_ok=True)
    return shared


def open_judged(workspace: Path, person: str, role: str | None = None) -> JudgedStore:
    """What one viewer said of answers."""
    folder = viewer_folder(workspace, person, role)
    file = JudgedAnswers(folder)
    if not (address := records_address(workspace)):
        return file
    from backends.feedback.feedback_rows import PostgresJudged  # of the extra `scale`

    shared = PostgresJudged(address, folder.name)
    if file.path.exists():
        shared.take(file.all())
        file.path.unlink(missing_ok=True)
    return shared


def open_question_log(workspace: Path) -> QuestionLog:
    """What all who use a workspace asked."""
    file = Monitor(workspace)
    if not (address := records_address(workspace)):
        return file
    from backends.feedback.feedback_rows import PostgresQuestionLog  # of the extra `scale`

    shared = PostgresQuestionLog(address)
    if file.path.exists():
        shared.take(file.rows(), file.switched_off())
        file.path.unlink(missing_ok=True)
    return shared


def keep_present(workspace: Path, place: str, days: int) -> None:
    """A viewer is here: remember it, and remove what the database keeps of others who were away for so many
    days, but for the log of questions, which has a time of its own."""
    if address := records_address(workspace):
        from backends.feedback.feedback_rows import LOG_KINDS  # of the extra `scale`
        from backends.postgres.record_rows import PostgresRecords, forget_absent

        PostgresRecords(address, place, "here").put("", {})
        forget_absent(address, days, LOG_KINDS)


class LogData:
    """Gives up the logged questions that found a document which is being forgotten."""

    name = "the log of questions"

    def forget(self, workspace: Path, document: str) -> GaveUp:
        """A visitor's own, or those of everybody who shares the workspace's documents."""
        base, person = workspace_and_person(workspace)
        kept = open_question_log(base)
        if person is not None:
            return GaveUp(questions=kept.forget(person, document))
        apart = [path.name for path in (base / SESSIONS).glob("*")]
        return GaveUp(questions=kept.forget_for_all_but(apart, document))
