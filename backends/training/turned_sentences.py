"""Turns a plain English sentence round into the question that a piece of it answers, without a model.

Enters: a sentence, the place of a short answer in it, and the words that are names. Leaves: a question, or
None where the sentence is not of one of the few forms that can be turned with certainty: a subject, then an
auxiliary or one of the listed verbs. After the transformations of Heilman and Smith (2010), with word lists
in place of a parser: what is not surely understood is left to the language model.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from backends.training.answer_spans import AnswerSpan

LONGEST_SUBJECT = 10  # words

_AUXILIARIES = "is|are|was|were|will|may|must|can|should|has to|have to|has|have"
_BE = frozenset(["is", "are", "was", "were"])
_DO = frozenset(["do", "does", "did"])
_AUXILIARY = re.compile(rf"\s(?P<verb>{_AUXILIARIES})\s")
# Base forms of verbs that office texts put behind a subject; the form with -s is made of them.
_VERBS = str.split(
    "cost begin start end run last take pay need require lend give receive get contain cover include "
    "open close "
    "leave meet sign approve decide repair replace insure hold keep lie stand hang weigh measure earn save "
    "amount lead manage report go move expire rise apply belong work serve deliver send charge offer "
    "provide "
    "use wear show carry check test answer collect clean organise organize coordinate handle own supply "
    "accept allow "
    "arrive ask buy call cancel change choose close comprise confirm connect consist contribute decrease "
    "employ ensure "
    "enter exceed feed fill grant grow happen hire host increase inform inspect invite issue join lend "
    "load make monitor "
    "notify number order owe park pass pick plan post prepare print produce protect publish reach "
    "receive record reduce "
    "release remain rent request respond return review ride sell ship sit speak spend stay store submit "
    "support train "
    "transfer travel update visit wait want write"
)
# Forms of the past that are no participles behind a form of be.
_PAST = dict(
    pair.split(":")
    for pair in str.split(
        "rose:rise fell:fall grew:grow began:begin took:take paid:pay sold:sell bought:buy made:make "
        "went:go came:come "
        "left:leave met:meet spent:spend won:win lost:lose held:hold led:lead built:build sent:send "
        "gave:give brought:bring "
        "started:start ended:end decided:decide approved:approve signed:sign joined:join moved:move "
        "visited:visit increased:increase decreased:decrease reached:reach earned:earn "
        "saved:save elected:elect chose:choose lasted:last"
    )
)


def _third(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if verb.endswith("y") and verb[-2] not in "aeiou" else verb + "s"


_BASES = {_third(verb): verb for verb in _VERBS}
_VERB = re.compile(rf"\s(?P<verb>{'|'.join([*_BASES, *_VERBS])})\s")
_PAST_VERB = re.compile(rf"\s(?P<verb>{'|'.join(_PAST)})\s")
# What people do, and things do not: a name in front of it is asked for with Who.
_OF_PEOPLE = re.compile(
    r"\s(?:will |may |must |can |has to )?(?:takes? over|leads?|signs?|approves?|decides?|manages?|"
    r"answers?|reports?|"
    r"coordinates?|handles?|collects?|organi[sz]es?|teach(?:es)?|chairs?|reads?|is (?:responsible|in "
    r"charge))\s"
)
_NO_SUBJECT = re.compile(
    r"(?:it|they|this|these|those|that|unless|he|she|there|here|we|you|i|please|if|when|where|while|"
    r"after|before|during|"
    r"between|in|on|at|by|for|from|with|without|under|until|since|as|to|because|once|nobody|nothing|none|"
    r"everyone|"
    r"everything|no|not|do|and|or|but|otherwise|then|who|which|later|only|whoever|what|how|why|"
    # what orders somebody to do something
    r"tell|call|use|send|keep|clean|press|hold|check|ask|report|choose|open|close|never|always|make|take|"
    r"give|put|"
    r"write|read|see|note|add|let|turn|switch|leave|bring|contact|enter|select|click|remove|wait|return|"
    r"pay)\b",
    re.IGNORECASE,
)
_ADVERBIAL = re.compile(
    r"(?P<it>(?:In|On|At|During|For|From|Within|With|Without|Under|Before|After|If|When|"
    r"Unless)\s[^,;.:]{3,70}),\s"
)
_CLAUSE_END = re.compile(r"[.!](?:\s|$)|;|,?\s(?:because|unless|so that)\s|,\s")
_PARENTHESIS = re.compile(
    r"(?<=[a-z]),\s(?:on|in|at|of|which|who)\s[^,;.]{3,60},(?=\s(?:is|are|was|has|have|must|may|will|"
    r"can)\s)"
    r"|\s\([^()]{2,60}\)"
)
_INSIDE = re.compile(r"\b(?:who|which|that|because|if|when|where|whose|whether|want|wants)\b|[:()\"“”]")
_ENDS_NO_SUBJECT = re.compile(r"\b(?:the|a|an|of|and|or|to|for|in|on|not|also|then|who)$", re.IGNORECASE)
_SAME_SUBJECT = re.compile(rf"\s(?:and|but)\s(?=(?:{_AUXILIARIES}|{'|'.join(_BASES)})\s)")
_HEDGE = re.compile(
    r"^(?:(?:at least|at most|up to|[a-z ]*than|about|around|over|under|approximately|an? [a-z]+ of)\s)+"
)
_PREPOSITION = re.compile(
    r"(?:^|\s)(for|within|after|in|on|to|by|from|until|at|of|with|than|as|about|between)\s$"
)
_MEASURED = re.compile(
    r"(?:^|\s)(?:a|an|the)\s(?P<what>(?:[\w-]+\s){0,2}(?:output|area|capacity|length|weight|deposit|"
    r"height|width|"
    r"power|range|size|speed|limit|budget|volume|temperature|depth|fee|discount|share))\sof\s$"
)
_COUNT = re.compile(r"^(?:[\d.,]+|[a-z]+(?:-[a-z]+)?)[\s-]?")
_MUCH = {"": "How much", "for": "For how much", "from": "From what amount"}
_DURATION = re.compile(r"\b(?:second|minute|hour|day|night|week|month|year)s?\b")
_MONEY = re.compile(r"[€$£¥]|\b(?:EUR|USD|GBP|CHF|euros?|pounds?|dollars?|francs?|cents?)\b")
_PERSON = re.compile(
    r"(?:(?:Dr|Mr|Mrs|Ms|Prof)\.?\s)?[A-Z][a-zà-ÿ'’-]+(?:\s[A-Z]\.)?\s(?:(?:van|von|de|al)\s)?[A-Z][\w'’-]+"
)
_ROLE = re.compile(
    r"\b(?:manager|warden|lead|leader|head|director|officer|contact|chair\w*|president|secretary|"
    r"treasurer|owner|"
    r"representative|supervisor|engineer|doctor|coordinator|trainer|editor|author|partner|person)\b",
    re.IGNORECASE,
)
_NO_PERSON = re.compile(
    r"\b(?:Ltd|Inc|GmbH|AG|Street|Lane|Road|Court|Yard|Hall|House|Town|City|Park|Services?|Safety|"
    r"Freight|Office|"
    r"Bank|Centre|Center|Team|Board|School|Club|Group)\b"
)
_NO_PLACE = re.compile(
    r"\b(?:expense|cost|rate|price|end|beginning|request|risk|time|latest|discretion|case|event|way|order|"
    r"meeting|morning|afternoon|evening|year|month|week|day|field|form|addition|advance)s?\b"
)
_PEOPLE = re.compile(
    r"\b(?:administrators?|members?|staff|employees?|visitors?|guests?|tenants?|customers?|trainees?|"
    r"managers?|drivers?|"
    r"colleagues?|recipients?|owners?|participants?|parents?|patients?|people|persons?|team|suppliers?|"
    r"contractors?)$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"(?:,|\sand|\sor|\sto|, and)\s(?:[A-Z€$£\d]|the\s[A-Z])")
_CALENDAR = frozenset(
    str.split(
        "January February March April May June July August September October November December "
        "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
    )
)
_STANDING = frozenset(
    ["place", "meet", "stand", "lie", "hang", "work", "start", "begin", "end", "wait", "park", "live", "sit"]
)
_LEFT_OVER = re.compile(
    r"\b(?:and|or|of|the|a|an|than|to|for|with|by|in|on|at|from|between|every|each|until|as|about)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Clause:
    """Subject, auxiliary, and what follows it; with a full verb the auxiliary is do or does.

    `start` is where the rest stands in the sentence.
    """

    subject: str
    auxiliary: str
    rest: str
    start: int

    @property
    def opening(self) -> str:
        """Auxiliary and subject, as they stand in a question."""
        return f"{self.auxiliary} {self.subject}"


# --- clauses ---------------------------------------------------------------------------------------


def clauses(sentence: str, span: AnswerSpan, names: Collection[str] = ()) -> list[Clause]:
    """The main clause and one that shares its subject; [] where none is understood."""
    text = _PARENTHESIS.sub(lambda match: " " * len(match[0]), sentence)
    ends = (match.start() for match in _CLAUSE_END.finditer(text))
    text = text[: next((at for at in ends if not span.start <= at < span.end), len(text))]
    first = _split(text, names)
    if first is None:
        return []
    match = _SAME_SUBJECT.search(first.rest)
    if match is None:
        return [first]
    found = [replace(first, rest=first.rest[: match.start()])]
    begin = first.start + match.end()
    second = _split(f"{first.subject} {text[begin:]}", names)
    if second is not None and second.subject == first.subject:
        found.append(replace(second, start=second.start + begin - len(first.subject) - 1))
    return found


def _split(text: str, names: Collection[str]) -> Clause | None:
    auxiliary, verb = _AUXILIARY.search(text), _VERB.search(text)
    if verb is not None and auxiliary is not None and auxiliary.start() < verb.end():
        verb = None  # internet costs are paid back: a noun
    for match in (verb, auxiliary, _PAST_VERB.search(text)):
        if match is None:
            continue
        subject = " ".join(text[: match.start()].split())
        if not _can_be_subject(subject):
            continue
        if clause := _clause(within(subject, names), match["verb"], text[match.end() :], match.end()):
            return clause
    return None


def _can_be_subject(words: str) -> bool:
    if not words or words[0].isdigit() or len(words.split()) > LONGEST_SUBJECT:
        return False
    return not (_NO_SUBJECT.match(words) or _INSIDE.search(words) or _ENDS_NO_SUBJECT.search(words))


def _clause(subject: str, word: str, rest: str, start: int) -> Clause | None:
    if word.startswith(("has", "have")):
        if word in {"has", "have"} and re.match(r"(?:been|\w+ed|\w+en)\b", rest):
            return Clause(subject, word, rest, start)
        does, base = (
            "does" if word.startswith("has") else "do",
            f"have{word.removeprefix('has').removeprefix('have')}",
        )
    elif word in _BASES:
        does, base = "does", _BASES[word]
    elif word in _PAST:
        return Clause(subject, "did", f"{_PAST[word]} {rest}", start - len(_PAST[word]) - 1)
    elif word in _VERBS:
        does, base = "do", word
    else:
        return Clause(subject, word, rest, start)
    if does == ("does" if is_plural(subject) else "do"):
        return None  # what looks like the verb is none
    return Clause(subject, does, f"{base} {rest}", start - len(base) - 1)


def is_plural(subject: str) -> bool:
    """Whether a noun phrase is more than one, by its last noun before a preposition."""
    head = _head(subject)
    plain = head.endswith("s") and not head.endswith(("ss", "us", "is"))
    return (
        plain
        or " and " in head
        or head.split()[-1].lower() in {"people", "children", "police", "staff", "men", "women"}
    )


def _head(subject: str) -> str:
    return re.split(r"\s(?:of|for|in|with|on|at|from|than|without|to)\s", subject)[0]


def within(subject: str, names: Collection[str]) -> str:
    """A subject as it stands within a sentence: only a name keeps its capital."""
    first, _, rest = subject.partition(" ")
    if first in {"The", "A", "An", "Each", "Every", "All"}:
        return subject[0].lower() + subject[1:]
    inner = first[1:] != first[1:].lower() or any(map(str.isdigit, first))
    keeps = inner or rest[:1].isupper() or first.removesuffix("'s").removesuffix("’s") in {*names, *_CALENDAR}
    return subject if keeps else subject[0].lower() + subject[1:]


# --- questions -------------------------------------------------------------------------------------


def turned(sentence: str, span: AnswerSpan, names: Collection[str] = ()) -> str | None:
    """The question that the piece answers, ending in a question mark; None where this is not certain."""
    if match := _ADVERBIAL.match(sentence):
        return _behind(match, sentence, span, names)
    if span.kind == "amount" and (asked := _counted(sentence, span)):
        return _finished(asked)
    found = clauses(sentence, span, names)
    if span.kind == "list":
        asked = next((asked for each in found if (asked := _of_list(each, span))), None)
        return _finished(asked) if asked else None
    if span.kind == "reason":
        return _finished(f"Why {found[0].opening} {found[0].rest}") if found else None
    for clause in found:
        if clause.start <= span.start and span.end <= clause.start + len(clause.rest):
            asked = _of_rest(clause, sentence, span)
            return _finished(asked) if asked else None
    return _of_subject(sentence, span)


def _behind(match: re.Match[str], sentence: str, span: AnswerSpan, names: Collection[str]) -> str | None:
    """A sentence that opens with a circumstance: the question ends with it."""
    if span.start < match.end() or (
        match["it"].split()[0] in {"If", "When", "Unless"}
        and re.search(r"\b(?:it|they|he|she|this|these)\b", match["it"])
    ):
        return None
    rest = sentence[match.end() :]
    moved = replace(span, start=span.start - match.end(), end=span.end - match.end())
    asked = turned(rest[0].upper() + rest[1:], moved, names)
    if asked is None:
        return None
    first, _, others = match["it"].partition(" ")
    return f"{asked[:-1]} {first.lower()} {others}?"


def _counted(sentence: str, span: AnswerSpan) -> str | None:
    """There are 14 places behind the hall; 14 people work there."""
    short, after = sentence[span.start : span.end], re.split(r"[,;:.](?:\s|$)", sentence[span.end :])[0]
    unit = re.sub(r"^(?:\d[\d.,]*|[a-z]+)\s", "", short[:1].lower() + _HEDGE.sub("", short[1:]))
    if unit == short or _MONEY.search(short) or not unit.split()[-1].endswith("s"):
        return None
    if re.fullmatch(r"There (?:is|are) ", sentence[: span.start]) and re.match(
        r"\s(?:in|on|at|behind|for|per)\s", after
    ):
        return f"How many {unit} are there {after}"
    plain = span.start == 0 and not _DURATION.search(unit) and (_AUXILIARY.match(after) or _VERB.match(after))
    return f"How many {unit}{after}" if plain else None


def _of_list(clause: Clause, span: AnswerSpan) -> str | None:
    """All that the verb leads to, to the end of the sentence: What does the fee include?"""
    before = clause.rest[: span.start - clause.start]
    if clause.auxiliary not in _DO or len(before.split()) != 1:
        return None
    return f"What {clause.opening} {before.strip()}"


def _of_rest(clause: Clause, sentence: str, span: AnswerSpan) -> str | None:
    at, short = span.start - clause.start, sentence[span.start : span.end]
    before, after = clause.rest[:at], clause.rest[at + len(short) :]
    if _INSIDE.search(before) or re.search(r"\band\s(?:then|also|\w+(?:s|ed))\s", before):
        return None
    if _GOES_ON.match(sentence[span.end :]):
        return None  # a part of an enumeration is no answer
    # What comes with "and" behind the answer is another statement, or another answer.
    after = re.split(r",\s|;|\s(?:which|who|that|because|if|when|once|unless|and|or|but)\s", after)[0]
    if span.kind == "time":
        return _when(clause, before, short, after)
    if span.kind == "amount":
        return _how_much(clause, before, _HEDGE.sub("", short), after)
    return _who_or_what(clause, before, short, after)


def _when(clause: Clause, before: str, short: str, after: str) -> str | None:
    match = re.search(r"(?:^|\s)(on|at|in|from|by|until|since|every|between)\s$", before)
    stem = before[: match.start()] if match else before
    preposition = match[1] if match else ""
    if not match and not short.lower().startswith(("from", "between", "every", "each", "the ")):
        return None
    word = {"by": "By when", "until": "Until when", "since": "Since when", "from": "From when"}.get(
        preposition, "When"
    )
    return f"{word} {clause.opening} {stem}{after}"


def _how_much(clause: Clause, before: str, short: str, after: str) -> str | None:
    measured = _MEASURED.search(before)
    if measured and clause.rest.startswith("have ") and clause.auxiliary in _DO:
        return f"What is the {measured['what']} of {clause.subject}"
    match = _PREPOSITION.search(before)
    stem, preposition = (before[: match.start()], match[1]) if match else (before, "")
    if re.search(r"\d|\band\b", stem) or re.match(r"\s(?:more|less|fewer|too)\b", after):
        return None
    if _MONEY.search(short):
        known = preposition in {"", "for", "from"} and not after.startswith(" of ")
        if not known or (
            clause.auxiliary in _BE and stem.strip() and not re.search(r"(?:ed|id)$", stem.strip())
        ):
            return None
        return f"{_MUCH[preposition]} {clause.opening} {stem}{after}"
    if "%" in short or "percent" in short:
        share = re.match(r"\s(?P<of>of\s[^,;]+)", after)
        known = share is not None and not preposition and clause.auxiliary in _DO
        return f"What percentage {share['of']} {clause.opening} {stem}" if known and share else None
    unit = _COUNT.sub("", short, count=1)
    if _DURATION.search(short):
        return _how_long(clause, stem, preposition, short, after)
    first = unit.split()[0] if unit else ""
    if preposition or not first.isalpha() or not first.endswith("s") or clause.auxiliary not in _DO:
        return None
    if len(stem.split()) > 1:
        return None
    return f"How many {unit}{after if re.match(r' (?:of|on|in|at) ', after) else ''} {clause.opening} {stem}"


def _how_long(clause: Clause, stem: str, preposition: str, short: str, after: str) -> str | None:
    unit = _COUNT.sub("", short, count=1)
    if short.lower().startswith("every "):
        return f"How often {clause.opening} {stem}"
    if preposition in {"for", "within", "after"}:
        of, rest = (after, "") if after.startswith(" of ") else ("", after)
        return f"{preposition.capitalize()} how many {_plural(unit)}{of} {clause.opening} {stem}{rest}"
    if not preposition and (match := re.match(r"\s(?:ahead|in advance|earlier|before\b.*)", after)):
        return f"How many {_plural(unit)}{match[0]} {clause.opening} {stem}{after[match.end() :]}"
    return None


def _plural(unit: str) -> str:
    first, _, rest = unit.partition(" a ")
    plural = first if first.endswith("s") or not first else f"{first}s"
    return f"{plural} a {rest}" if rest else plural


def _who_or_what(clause: Clause, before: str, short: str, after: str) -> str | None:
    if not before.strip() and clause.auxiliary in _BE:
        if re.match(r"\s\w", after) and not re.match(r"\s(?:in|on|at|of)\s", after):
            return None
        who = _is_person(short) or (bool(_ROLE.search(clause.subject)) and short[:1].isupper())
        return f"{'Who' if who else 'What'} {clause.opening}"
    if (
        re.search(r"\w(?:ed|en|wn|ld|pt|id|de)\sby\s$", before)
        and " not " not in f" {before}"
        and clause.auxiliary in {*_BE, "must"}
    ):
        return f"Who {clause.opening} {before.rstrip()}"
    if after.strip():
        return None
    match = re.search(r"(?P<verb>\w+)(?:\saway)?(?P<at>\s(?:in|at|behind|beside|under|near)\s)$", before)
    stands = clause.auxiliary in {*_BE, "will", "must"} or (match is not None and match["verb"] in _STANDING)
    if match and stands and _is_place(short):
        return f"Where {clause.opening} {before[: match.start('at')]}"
    if re.fullmatch(r"(?:need|require|wear|receive)\s", before):
        return f"What {clause.opening} {before.rstrip()}"
    return None


def _is_person(short: str) -> bool:
    return bool(_PERSON.fullmatch(short)) and not _NO_PERSON.search(short)


def _is_place(short: str) -> bool:
    """A thing or a building that something can be in, at or behind; no person and no time."""
    return bool(re.match(r"(?:the|a)\s", short) or _NO_PERSON.search(short)) and not _NO_PLACE.search(short)


def _of_subject(sentence: str, span: AnswerSpan) -> str | None:
    """The piece is the subject: what follows it stays as it is."""
    text = re.split(r"[.;]|,\s", sentence)[0]
    if span.start != 0 or span.end >= len(text) or span.kind not in {"name", "phrase"}:
        return None
    rest = text[span.end :]
    if re.match(r"\s(?:must|may|can|will)\s(?:not|never)\b", rest):
        return None
    if span.kind == "name":
        person = _is_person(sentence[: span.end]) and _OF_PEOPLE.match(rest)
        return _finished(f"Who{rest}") if person else None
    who = _PEOPLE.search(_head(sentence[: span.end])) is not None
    return _finished(f"{'Who' if who else 'What'}{rest}") if _AUXILIARY.match(rest) else None


def _finished(asked: str) -> str | None:
    text = " ".join(asked.split()).strip(" ,;")
    whole = re.fullmatch(r"Who .* by", text) or not _LEFT_OVER.search(text)
    return f"{text}?" if whole else None


# --- yes and no ------------------------------------------------------------------------------------

_RULE = re.compile(
    r"(?P<who>[A-Z][^,;:.]{1,70}?)\s(?P<verb>may|must|can|will)\s(?P<never>not |never |no longer )?"
    r"(?P<what>[^,;:.]{6,110})\."
)
_STATE = re.compile(
    r"(?P<who>[A-Z][^,;:.]{2,70}?)\s(?P<verb>is|are)\s(?P<never>not |never |no longer )?"
    r"(?P<what>(?:allowed|permitted|forbidden|prohibited|paid|possible|required|included|accepted|refunded|charged|reimbursed|"
    r"insured|covered|available|supported|needed|affected|free|open|closed|compulsory|optional)\b[^,;:.]{0,90})\."
)
_NO_RULE = re.compile(
    r"\b(?:only|nobody|neither|no(?! longer)|also|still|instead|except|"
    r"and (?:may|must|can|will|is|are|has|do|does))\b",
    re.IGNORECASE,
)


def yes_or_no(sentence: str, names: Collection[str] = ()) -> tuple[str, Literal["Yes", "No"]] | None:
    """A rule as a question and its answer: "Guests may not bring drinks." -> May guests bring drinks? No."""
    match = _RULE.fullmatch(sentence) or _STATE.fullmatch(sentence)
    if match is None or _NO_RULE.search(sentence):
        return None
    if match.re is _STATE and re.search(r"[€$£\d]", match["what"]):
        return None  # who asks whether it costs 35 euros knows what it costs
    who = match["who"]
    if len(who.split()) > LONGEST_SUBJECT or _NO_SUBJECT.match(who) or _AUXILIARY.search(f"{who} "):
        return None
    if _INSIDE.search(re.sub(r"\bthat\s(?=\w)", "", who)) or " not " in who:
        return None
    verb = "may" if match["verb"] == "must" and match["never"] else match["verb"]
    return f"{verb.capitalize()} {within(who, names)} {match['what']}?", "No" if match["never"] else "Yes"


def names_in(text: str) -> frozenset[str]:
    """Words that keep their capital within a sentence, and never stand without it."""
    inner = set(re.findall(r"(?<=[a-z0-9,] )[A-Z][\w-]+", text))
    return frozenset(inner - _CALENDAR - {word.capitalize() for word in re.findall(r"\b[a-z][\w-]+", text)})
