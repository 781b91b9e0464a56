"""What the other backends' answers say of an answer: its labels once all have answered.

Enters: the answers to one question by model and backend, each with the labels that it has alone. Leaves:
the same answers, those that assert something judged anew. Passages and weights are two witnesses: a hybrid
and a fine-tuned model that say the same are hardly wrong together. A logistic rule over the probability
alone and what the others say, fitted by `benchmarks.labels`, gives the probability that the answer is right.
Two that read the same passages are one: they take the same sentence, right or wrong.
The control is no witness, nor are weights that never learned the documents or that a source contradicts, as
those do that remember what was edited since. What a source contradicts stays so, whoever says the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backends.answering.answer_text import is_abstention
from backends.answering.checks import (
    CONTRADICTED,
    DOUBTFUL,
    INVENTED,
    WRONG_VERDICT,
    LabelRule,
    log_odds,
    shipped_rule,
)
from backends.answering.part_by_part import answered_parts
from backends.answering.short_answers import same_answer
from backends.datatypes import Answer, BackendName, Checks
from backends.system.wording import NEVER_LEARNED

SETTLED = (CONTRADICTED, WRONG_VERDICT)  # warnings that no agreement lifts
Asked = tuple[str, BackendName]  # who answers: a model by its name in the settings, and the backend
READERS: tuple[BackendName, ...] = ("rag", "hybrid")  # answer from passages that they are shown


@dataclass(frozen=True)
class GivenAnswer:
    """What one backend answered.

    credible: of an answer from weights, that these learned the documents asked about and that no source
        contradicts it.
    """

    backend: BackendName
    text: str
    credible: bool


def judged_together(answers: Mapping[Asked, Answer], rule: LabelRule | None = None) -> dict[Asked, Answer]:
    """The answers to one question, each labelled by what the other backends of its model say."""
    rule = rule or shipped_rule()
    said = {asked: _given(asked[1], answer) for asked, answer in answers.items()}
    judged = {}
    for asked, answer in answers.items():
        others = [other for key, other in said.items() if key != asked and key[0] == asked[0]]
        checks = judged_beside(answer.question, said[asked], answer.checks, others, rule)
        judged[asked] = replace(answer, checks=checks)
    return judged


def judged_beside(
    question: str, own: GivenAnswer, alone: Checks, others: Sequence[GivenAnswer], rule: LabelRule
) -> Checks:
    """The labels of an answer beside the others; as they are where there is nothing to judge anew."""
    if not others or alone.answers is None or alone.warning in SETTLED or answered_parts(question, own.text):
        return alone
    found = agreement_features(question, own, alone.answers, others)
    probability = round(rule.together.probability(found), 4)
    if probability >= rule.answers_from:
        # Without a warning nothing is shown as what may answer instead.
        passage = alone.passage if alone.support == "backed" else None
        return replace(alone, answers=probability, warning=None, passage=passage)
    warning = INVENTED if alone.support == "not mentioned" else DOUBTFUL
    return replace(alone, answers=probability, warning=warning)


def agreement_features(
    question: str, own: GivenAnswer, alone: float, others: Sequence[GivenAnswer]
) -> dict[str, float]:
    """What the rule weighs of an answer that asserts something: log-odds alone, how many others say what."""
    readers = [each for each in others if each.backend in READERS and own.backend not in READERS]
    weights = [each for each in others if each.backend == "fine_tuned" and each.credible]

    def same(each: GivenAnswer) -> bool:
        return same_answer(own.text, each.text, question)

    return {
        "alone": log_odds(alone),
        "readers_agree": float(sum(map(same, readers))),
        "weights_agree": float(sum(map(same, weights))),
        "weights_differ": float(sum(not same(each) and not is_abstention(each.text) for each in weights)),
    }


def _given(name: BackendName, answer: Answer) -> GivenAnswer:
    learned = not any(warning.startswith(NEVER_LEARNED) for warning in answer.warnings)
    return GivenAnswer(name, answer.text, learned and answer.checks.warning not in SETTLED)
