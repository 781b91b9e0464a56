"""Questions suggested from the visitor's own documents, made in the background after an upload.

Enters: the service and the documents' names. Leaves: a job whose result is `Suggested`. The questions
come from where training rows come from, so the number of rows there are is known too.
"""

from __future__ import annotations

from collections.abc import Callable

from backends.datatypes import CatalogueEntry
from backends.system.jobs import Job, JobContext
from pages.ui import resources, session
from pages.ui.asking import KIND
from pages.ui.service import Service, Suggested

SUGGEST = "suggest"
MOST = 4


def job(now: session.Session, service: Service, own: list[CatalogueEntry]) -> Job | None:
    """The job for these documents as they are, begun here where there is none; None where there are none."""
    if not own or not service.may_change:
        return None
    about = _which(own)
    found = next((j for j in resources.jobs().owned_by(now.visitor, SUGGEST) if j.about == about), None)
    if found is not None or any(not j.finished for j in resources.jobs().owned_by(now.visitor, KIND)):
        return found  # a question is being timed: nothing else is to use the model meanwhile
    return resources.jobs().start(
        SUGGEST, now.visitor, _work(service, [document.name for document in own]), about
    )


def _which(own: list[CatalogueEntry]) -> str:
    return "\n".join(f"{document.name} {document.version}" for document in own)


def _work(service: Service, names: list[str]) -> Callable[[JobContext], Suggested]:
    def work(context: JobContext) -> Suggested:
        return service.suggest(names, MOST, context.progress, context.cancelled)

    return work


def found(suggesting: Job | None) -> Suggested | None:
    """What a job has made; None while it works, and where there is none."""
    result = suggesting.result if suggesting is not None and suggesting.finished else None
    return result if isinstance(result, Suggested) else None
