"""Judges offline whether passages bear out an answer: RAGAS' and ALCE's measures without a judge model.

Enters: texts. Leaves: numbers from 0 to 1, or None where there is nothing to judge. Claims are the sentences
of an answer; a claim is borne out when one passage (for ALCE the cited passages together) holds 70 % of its
content words and every number in it. `benchmarks/judge_agreement.py` measures how well that agrees with gold
labels; `AGREEMENT` states it wherever these numbers are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from backends.answering.answer_text import cited_markers, is_abstention, without_markers
from backends.answering.overlap import content_tokens, sentences
from backends.evaluation.metrics import contains_answer, is_yes_or_no
from backends.evaluation.ranking import average_precision
from backends.system.json_texts import is_json

ENOUGH = 0.7  # share of a claim's content words; chosen on development data, see the module's docstring
AGREEMENT = (
    "The judge of support agrees with gold labels on 96 of 100 development claims (437 claims, kappa 0.92; "
    "made from true sentences, exchanged answers and wrong passages, so finer errors are not in it)."
)


def claims_of(answer: str) -> list[str]:
    """Sentences that assert something; none for an abstention or a JSON value.

    House answers begin with the bare short answer ("8 hours."). It is a claim like any other.
    """
    text = without_markers(answer)
    if is_abstention(text) or is_json(text):
        return []
    return [sentence for sentence in sentences(text) if content_tokens(sentence)]


def supports_claim(claim: str, passage: str, enough: float = ENOUGH) -> bool:
    """Whether the passage holds this share of the claim's content words and every number in it."""
    wanted, there = Counter(content_tokens(claim)), Counter(content_tokens(passage))
    if any(token[0].isdigit() and token not in there for token in wanted):
        return False
    return (wanted & there).total() >= enough * wanted.total() > 0


def faithfulness(answer: str, passages: Sequence[str]) -> float | None:
    """RAGAS faithfulness (Es et al. 2023): claims borne out by the passages shown / claims."""
    claims = claims_of(answer)
    if not claims or not passages:
        return None
    return sum(any(supports_claim(claim, passage) for passage in passages) for claim in claims) / len(claims)


def useful_passages(passages: Sequence[str], golds: Sequence[str]) -> list[bool]:
    """Which passages hold a gold answer as whole words."""
    return [contains_answer(passage, golds) for passage in passages]


def _found_in_texts(golds: Sequence[str]) -> list[str]:
    """The golds that a passage can hold: no passage holds a yes or a no."""
    return [gold for gold in golds if not is_yes_or_no(gold)]


def context_precision(passages: Sequence[str], golds: Sequence[str]) -> float | None:
    """RAGAS context precision: mean precision@r over the ranks r of useful passages; 0 when none is useful.

    RAGAS asks a model which passage is useful; here it is one that holds a gold answer. None without golds.
    """
    wanted = _found_in_texts(golds)
    if not wanted or not passages:
        return None
    return average_precision(useful_passages(passages, wanted)) or 0.0


def context_recall(passages: Sequence[str], golds: Sequence[str]) -> float | None:
    """RAGAS context recall: claims of the reference answer that a passage bears out / claims.

    Golds are alternatives, so the best of them counts; each is short, and is held as a whole or not.
    """
    wanted = _found_in_texts(golds)
    return float(any(useful_passages(passages, wanted))) if wanted else None


def noise_sensitivity(
    answer: str, passages: Sequence[str], golds: Sequence[str], *, right: bool
) -> float | None:
    """RAGAS noise sensitivity: wrong claims taken from a passage without the answer / claims; low is good.

    RAGAS judges each claim against the reference; golds here are short, so all claims of an answer are wrong
    when the answer is, and none when it is right.
    """
    claims, wanted = claims_of(answer), _found_in_texts(golds)
    if not claims or not passages or not wanted:
        return None
    if right:
        return 0.0
    useful = useful_passages(passages, wanted)
    noise = [passage for passage, good in zip(passages, useful, strict=True) if not good]
    return sum(any(supports_claim(claim, passage) for passage in noise) for claim in claims) / len(claims)


def citation_recall(answer: str, sources: Sequence[str]) -> float | None:
    """ALCE citation recall (Gao et al. 2023): statements borne out by what they cite / statements.

    All citations of a statement are read together. `sources` are the numbered passages: [1] is the first.
    A statement without a citation is not borne out. None when nothing is asserted or nothing was shown.
    """
    statements = _statements(answer)
    if not statements or not sources:
        return None
    return sum(_backed(claim, marks, sources) for claim, marks in statements) / len(statements)


def citation_precision(answer: str, sources: Sequence[str]) -> float | None:
    """ALCE citation precision: citations that do some work / citations.

    One does when its statement is borne out by all its citations together, and by this one alone, or no
    longer without it. None without citations.
    """
    useful = total = 0
    for claim, marks in _statements(answer):
        backed = _backed(claim, marks, sources)
        for mark in marks:
            total += 1
            rest = [other for other in marks if other != mark]
            useful += backed and (_backed(claim, [mark], sources) or not _backed(claim, rest, sources))
    return useful / total if total else None


def _statements(answer: str) -> list[tuple[str, list[int]]]:
    """Sentences that assert something, with the markers each carries.

    A bare marker after a full stop belongs to the sentence before it (`overlap.sentences` keeps it there).
    """
    if not claims_of(answer):
        return []
    pairs = [(without_markers(sentence), cited_markers(sentence)) for sentence in sentences(answer)]
    return [(claim, marks) for claim, marks in pairs if content_tokens(claim)]


def _backed(claim: str, marks: Sequence[int], sources: Sequence[str]) -> bool:
    cited = [sources[mark - 1] for mark in marks if 1 <= mark <= len(sources)]
    return bool(cited) and supports_claim(claim, "\n".join(cited))
