"""The sidebar: which documents are asked, which backends answer, and the settings, each where a page uses it.

Enters: the visitor's session, service and the page that is open. Leaves: changed settings, and the indexing
job when passages of the new size are not there yet. Settings are folded; a line says what differs from the
defaults. Each control says in one sentence what it does; its effect stands below in words.
"""

from __future__ import annotations

import streamlit as st

from backends.settings import Settings
from backends.system.jobs import Job
from backends.system.viewers import roles_of
from pages.ui import resources, scope, session
from pages.ui.look import LOOKS
from pages.ui.service import Service
from pages.ui.session import COLLECTION, SELECTED, Session
from pages.ui.settings_words import differences
from pages.ui.text import listing, markdown, plural

CHUNKINGS = {
    "sentences": "Whole sentences",
    "sections": "Sections, by headings",
    "semantic": "Where the subject changes",
    "tokens": "A fixed count of tokens",
}
MODES = {"hybrid": "Both", "dense": "Meaning", "bm25": "Words"}
# Switches of the search, by the setting each one turns: what it is called, and what it does.
FINDING = {
    "cross_encoder": (
        "A second model reads along",
        "A small model reads the question together with each of the best sentences and orders them; it "
        "works where the best sentences are chosen.",
    ),
    "multi_step": (
        "Look up each part",
        "A question of several parts is cut where another question begins; each part is looked up, then "
        "what was found is joined.",
    ),
    "related_words": (
        "Search with related words",
        "Also searches with words that stand out in the first passages found.",
    ),
    "follow_ups": (
        "Understand follow-up questions",
        '"And for the Lark Pro?" is completed from the questions you asked before; the answer says how it '
        "was read.",
    ),
}
POLL = 0.4
# What each page uses, by its title; the other pages use none of it.
USED = {
    "Compare": ("documents", "backends", "models", "settings"),
    "Documents": ("index",),
    "Evaluate": ("settings",),
    "Stress tests": ("backends", "line"),
    "Costs": ("backends", "line"),
}


def draw(service: Service, model: str, page: str) -> None:
    """The sidebar of the page with this title.

    Every control is told its value as its default too. A value that only the session holds is sent once, with
    the run that makes the control: a browser that has loaded the control's code only after the next run never
    learns it, starts at the slider's left end, and sends that back as the visitor's choice.
    """
    now = session.current()
    session.show_settings(only_missing=now.to_ask is None)  # all, where a link has set them
    if lost := service.lost():
        st.warning(markdown(lost))
        st.button("I see", key="dismiss-loss", on_click=service.dismiss_loss)
    job = indexing(now, service)
    used = USED.get(page, ())
    if "documents" in used:
        _documents(now, service)
    if "backends" in used:
        _backends(now)
    if "models" in used:
        _models(now, service)
    if "settings" in used:
        _settings(now, service, job, model)
    if "index" in used:
        _indexing(service, job)
    if "line" in used:
        st.caption(f"Settings are chosen on Compare. {_what_differs(now)}")
    _reader(now, service)


def _settings(now: Session, service: Service, job: Job | None, model: str) -> None:
    """The settings, folded; what differs from the defaults and how far indexing is stand outside."""
    told = job is not None and (not job.finished or job.state == "failed")
    with st.expander("Settings", icon=":material/tune:", key="settings"):
        _passages(now)
        if not told:
            _index_effect(service, job, polled=False)
        _retrieval(now.settings)
        st.caption(_retrieval_effect(now.settings))
        _writing(now.settings)
        st.caption(_writing_effect(now.settings))
        st.button("Reset to defaults", on_click=session.reset, width="stretch", key="reset")
        st.caption(f"Model: {markdown(model)}")
    if now.rejected:
        st.error(markdown(now.rejected))
    if told:
        _indexing(service, job)
    st.caption(_what_differs(now))


def _indexing(service: Service, job: Job | None) -> None:
    working = job is not None and not job.finished
    st.fragment(_index_effect, run_every=POLL if working else None)(service, job, working)


def _what_differs(now: Session) -> str:
    found = differences(now.settings, now.defaults)
    return f"Differs from the default: {markdown(', '.join(found))}." if found else "All at their defaults."


def _documents(now: Session, service: Service) -> None:
    """Which documents are asked, and the chosen ones or collections to mend."""
    documents = service.catalogue()
    options = scope.choices(now, documents)
    chosen = scope.chosen(now, documents)
    session.put("scope", chosen)
    st.selectbox(
        "Documents asked",
        options,
        index=options.index(chosen),
        format_func=lambda each: scope.label(each, now, documents),
        key="scope",
        on_change=session.take_scope,
        args=("scope",),
        help="Only these documents are searched. Name a collection of your own on the Documents page.",
    )
    if chosen == SELECTED:
        st.caption(markdown(", ".join(scope.names(now, documents)[:6])))
    if chosen.startswith(COLLECTION):
        name = chosen.removeprefix(COLLECTION)
        st.button(
            "Drop this collection", key="drop-collection", type="tertiary", icon=":material/close:",
            on_click=scope.drop_collection, args=(name,),
            help="Its documents stay; only the name goes.",
        )  # fmt: skip


def indexing(now: Session, service: Service) -> Job | None:
    """The visitor's newest indexing job; it is started here when passages of the chosen size are missing."""
    newest = next(iter(resources.jobs().owned_by(now.visitor, "index")), None)
    wanted = (now.settings.chunk_size, now.settings.chunk_overlap, now.settings.chunking)
    if service.passages(now.settings) is not None or now.indexed == wanted:
        return newest
    if newest is not None:
        newest.cancel()
    settings, now.indexed = now.settings, wanted
    return resources.jobs().start(
        "index", now.visitor, lambda job: service.prepare(settings, job.progress, job.cancelled)
    )


def _reader(now: Session, service: Service) -> None:
    """Whose eyes: nothing to choose while every document is open to everyone."""
    if not now.owner:
        st.caption(f"Shown are the documents for everyone{_held(now.role or '')}, and your own.")
        return
    roles = service.roles()
    if not roles and now.role is None:
        return
    own = now.role or session.OWNER
    choices = [session.OWNER, *sorted({*roles, own} - {session.OWNER})]
    st.selectbox(
        "View as",
        choices,
        index=choices.index(own),
        format_func=lambda role: role or "Owner: every document",
        key="role",
        on_change=session.take_role,
        help="See documents and answers as a reader of this role would. What a role may not read is taken "
        "out before anything is searched or counted.",
    )
    if now.role is not None:
        st.caption(
            f"Seen as {markdown(now.role)}: documents kept from this role do not exist in this view. "
            "Adding and removing documents is for the owner."
        )


def _held(role: str) -> str:
    return f" and for {markdown(listing(sorted(roles_of(role))))}" if roles_of(role) else ""


def _backends(now: Session) -> None:
    st.pills(
        "Who answers",
        list(LOOKS),
        selection_mode="multi",
        default=now.backends,
        format_func=lambda name: f"{LOOKS[name].mark} {LOOKS[name].label}",
        key="backends",
        on_change=session.take_backends,
        help="Backends that are off are not asked; base is the control that knows nothing of the documents.",
    )


def _models(now: Session, service: Service) -> None:
    """With which models; nothing to choose where models.toml names none."""
    known = list(service.models())
    if len(known) < 2:
        return
    session.restore("models", [model for model in known if model in now.models] or known[:1])
    st.pills(
        "With which models",
        known,
        selection_mode="multi",
        format_func=markdown,
        key="models",
        on_change=session.take_models,
        help="Those of models.toml. Every backend answers with each of them, one after another; with none "
        f"chosen {known[0]} answers.",
    )


def _passages(now: Session) -> None:
    st.slider(
        "Chunk size",
        32,
        512,
        step=16,
        value=now.settings.chunk_size,
        key="chunk_size",
        format="%d tokens",
        on_change=session.take_settings,
        help="How long a passage may be; long ones hold more context, short ones are found more exactly.",
    )
    st.slider(
        "Overlap",
        0,
        256,
        step=8,
        value=now.settings.chunk_overlap,
        key="chunk_overlap",
        format="%d tokens",
        on_change=session.take_settings,
        help="How much of a passage its neighbour repeats, so that nothing is cut off at a border.",
    )
    st.selectbox(
        "Passages end",
        list(CHUNKINGS),
        index=list(CHUNKINGS).index(now.settings.chunking),
        format_func=CHUNKINGS.__getitem__,
        key="chunking",
        on_change=session.take_settings,
        help="Where a document may be cut; a fixed count is the naive way and cuts through sentences.",
    )


def _index_effect(service: Service, job: Job | None, polled: bool) -> None:
    """What chunk size and overlap did; counts up while passages are made anew."""
    if polled and job is not None and job.finished:
        st.rerun()  # the whole page: it ends the polling
    now = session.current()
    if job is not None and not job.finished:
        done, total, _ = job.progress
        left = job.seconds_left
        rest = f", about {max(1, round(left))} s left" if left is not None else ""
        count = f" {done:,} of {total:,}" if total else ""
        st.progress(job.fraction, text=f"Indexing{count}{rest}")
        return
    if job is not None and job.state == "failed":
        st.error(markdown(job.error or "Indexing failed."))
        return
    settings, counts = now.settings, service.passages(now.settings)
    if counts is None:
        st.caption("These passages are indexed when you ask.")
        return
    st.caption(
        f"{plural(sum(counts.values()), 'passage')} of at most {settings.chunk_size} tokens, "
        f"{settings.chunk_overlap} shared.{_reuse(service, settings)}"
    )


def _reuse(service: Service, settings: Settings) -> str:
    """What making these passages cost, and what it did not cost."""
    made = service.recut(settings)
    if made is None:
        return ""
    if not made.sentences:  # a database keeps the passages of earlier cuts
        return f" The {plural(made.passages, 'passage')} of these settings stood ready; nothing was cut."
    new = f"{made.embedded:,} newly embedded" if made.embedded else "nothing newly embedded"
    return (
        f" The last cut made {plural(made.passages, 'passage')} from {made.sentences:,} sentence vectors in "
        f"{made.seconds:.2f} s; {new}."
    )


def _retrieval(settings: Settings) -> None:
    st.slider(
        "Passages per question (top-k)",
        1,
        20,
        value=settings.top_k,
        key="top_k",
        on_change=session.take_settings,
        help="How many passages are looked at for one question; changing it never re-indexes.",
    )
    st.segmented_control(
        "Find passages by",
        list(MODES),
        format_func=MODES.__getitem__,
        default=settings.mode,
        key="mode",
        required=True,
        on_change=session.take_settings,
        help="By meaning (embeddings), by the words themselves (BM25), or by both with the ranks joined.",
    )
    st.toggle(
        "Choose the best sentences",
        value=settings.rerank,
        key="rerank",
        on_change=session.take_settings,
        help="Re-rank sentence by sentence, so that the prompt holds what fits the question best.",
    )
    with st.expander("More ways to find", icon=":material/manage_search:"):
        for name, (title, what) in FINDING.items():
            st.toggle(
                title,
                value=getattr(settings, name),
                key=name,
                disabled=name == "cross_encoder" and not settings.rerank,
                on_change=session.take_settings,
                help=what,
            )
        st.caption("What each costs stands in an answer's times, as *rewrite* and *rerank*.")


def _retrieval_effect(settings: Settings) -> str:
    passages = plural(settings.top_k, "passage")
    order = "their best sentences" if settings.rerank else "in the order they were found"
    return f"{passages}, {order}, at most {settings.context_tokens} tokens of evidence per prompt."


def _writing(settings: Settings) -> None:
    st.slider(
        "Temperature",
        0.0,
        2.0,
        step=0.1,
        value=settings.temperature,
        key="temperature",
        on_change=session.take_settings,
        help="How freely words are chosen; 0 always takes the likeliest word.",
    )
    st.slider(
        "Answer length",
        8,
        256,
        step=8,
        value=settings.max_tokens,
        key="max_tokens",
        format="%d tokens",
        on_change=session.take_settings,
        help="Where an answer is cut off at the latest.",
    )
    st.toggle(
        "Constrained decoding",
        value=settings.constrained_decoding,
        key="constrained_decoding",
        on_change=session.take_settings,
        help="Where JSON by a known schema is asked for, only tokens may come that keep it: always valid, "
        "not always right.",
    )


def _writing_effect(settings: Settings) -> str:
    words = round(settings.max_tokens * 0.7 / 10) * 10 or 5
    same = "The same question always gets the same answer" if settings.temperature == 0 else "Answers vary"
    return f"{same}, of at most about {words} words."
