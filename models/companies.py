"""Invents companies and states facts about them, for training the language model.

Leaves `Fact` records: one sentence in a document's words, questions about it in several wordings, the short
answer, and the heading of the document. Every name, price, date and code is drawn afresh, so the model can
only answer by reading. Nothing of the sample corpus enters here (a test compares the texts).
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    title: str
    sentence: str
    questions: tuple[str, ...]
    short: str


_ONSETS = """
    b br c ch cl d dr f fl g gr h j k kr l m n p pr q r s sh sk st t th tr v w y z
""".split()
_VOWELS = """
    a e i o u ai ea ei ia io oa ou
""".split()
_CODAS = ["", "", "", "n", "r", "l", "s", "x", "th", "nd", "rk", "m", "ck", "st"]
_FIRST = """
    Ada Amir Anna Bjorn Carla Chen David Elena Farid Grace Hugo Ivan Jana Karim Laura Marco Nadia Olga
    Pavel Rosa Samir Tara Uma Viktor Wendy Yusuf Zoe Peter Lena Omar Ruth Felix Clara Ravi Mei Tomas
    Ingrid Paul Alice Noor
""".split()
_CITIES = """
    Berlin Lyon Porto Leeds Ghent Turin Oslo Graz Brno Malmo Cork Basel Austin Denver Osaka Pune Nairobi
    Lima Perth Toronto Seville Gdansk Riga Tartu Utrecht Aarhus Zagreb Quito Accra Hanoi
""".split()
_MONTHS = """
    January February March April May June July August September October November December
""".split()
_THINGS = """
    sensor router lamp heater pump scanner printer tablet drone camera battery filter valve charger
    bicycle chair mixer oven scale keyboard headset projector speaker thermostat lock gateway server
    backpack tent kettle
""".split()
_DEPARTMENTS = """
    finance sales marketing legal security operations logistics engineering support procurement quality
    training
""".split()
_ROLES = (
    "chief executive; head of finance; head of sales; data protection officer; head of security; plant "
    "manager; head of people; chief engineer; support lead; head of legal; quality manager; press officer"
).split("; ")
_PLANS = """
    Basic Standard Plus Premium Business Ultimate Solo Studio Growth Scale Lite Core Max Flex
""".split()
_UNITS = ("per month", "per user and month", "per year", "per device", "per order", "a month", "a year")


def word(rng: random.Random, syllables: int | None = None) -> str:
    """A pronounceable word that exists nowhere."""
    count = syllables or rng.choice([1, 2, 2, 3])
    parts = [
        rng.choice(_ONSETS)
        + rng.choice(_VOWELS)
        + (rng.choice(_CODAS) if i == count - 1 or rng.random() < 0.25 else "")
        for i in range(count)
    ]
    return "".join(parts).capitalize()


def code(rng: random.Random) -> str:
    """A part number, ticket or clause code such as `QX-4471` or `B27`."""
    letters = "".join(rng.choices(string.ascii_uppercase, k=rng.randint(1, 3)))
    digits = "".join(rng.choices(string.digits, k=rng.randint(2, 5)))
    return letters + rng.choice(["-", "", "-"]) + digits


def product(rng: random.Random) -> str:
    form = rng.randrange(5)
    name = word(rng)
    if form == 0:
        return f"{name} {rng.choice(_PLANS)}"
    if form == 1:
        return f"{name} {rng.randint(2, 900)}"
    if form == 2:
        return f"{name} {rng.choice(_THINGS)}"
    if form == 3:
        return f"{name} {word(rng, 1)}"
    return f"{name} {code(rng)}"


def city(rng: random.Random) -> str:
    return rng.choice(_CITIES)


def person(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST)} {word(rng)}"


def money(rng: random.Random) -> str:
    value = rng.choice(
        [rng.randint(2, 99), rng.randint(100, 999), rng.randint(10, 900) * 10, rng.randint(2, 90) * 1000]
    )
    text = f"{value:,}" if rng.random() < 0.6 else str(value)
    if value < 200 and rng.random() < 0.3:
        text += f".{rng.choice(['50', '90', '95', '99', '25'])}"
    return rng.choice(
        [f"{text} EUR", f"${text}", f"€{text}", f"£{text}", f"{text} euros", f"{text} USD", f"{text} pounds"]
    )


def date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.choice(_MONTHS), rng.randint(2011, 2027)
    return rng.choice(
        [f"{day} {month} {year}", f"{month} {day}, {year}", f"{month} {year}", f"{day} {month}"]
    )


def span(rng: random.Random) -> str:
    unit, most = rng.choice(
        [
            ("days", 120),
            ("working days", 30),
            ("hours", 96),
            ("weeks", 26),
            ("months", 60),
            ("years", 15),
            ("minutes", 90),
        ]
    )
    return f"{rng.randint(2, most)} {unit}"


def percent(rng: random.Random) -> str:
    value = rng.choice([rng.randint(1, 99), rng.randint(10, 999) / 10])
    return rng.choice([f"{value} %", f"{value}%", f"{value} percent"])


def count(rng: random.Random) -> str:
    value = rng.choice([rng.randint(2, 40), rng.randint(41, 999), rng.randint(1000, 90000)])
    return f"{value:,}" if value > 999 and rng.random() < 0.7 else str(value)


# A schema: the subject slots, the value maker, sentences with {s} subject and {v} value, questions with {s}.
# `|` separates wordings; matching must go through paraphrase, so questions avoid some of the sentence's words.
@dataclass(frozen=True)
class Schema:
    title: str
    subject: Callable[[random.Random], str]
    value: Callable[[random.Random], str]
    sentences: str
    questions: str


def plan(rng: random.Random) -> str:
    return rng.choice(["the {} plan", "{}", "the {} subscription", "the {} licence"]).format(
        rng.choice([rng.choice(_PLANS), word(rng) + " " + rng.choice(_PLANS)])
    )


def _the_product(rng: random.Random) -> str:
    return rng.choice(["the ", "", ""]) + product(rng)


def department(rng: random.Random) -> str:
    return f"the {rng.choice(_DEPARTMENTS)} team"


def company(rng: random.Random) -> str:
    return f"{word(rng)} {rng.choice(['Ltd', 'GmbH', 'Inc', 'AG', 'Group', 'Systems', 'Labs', 'Foods', 'Logistics', 'Energy'])}"


def _topic(options: str) -> Callable[[random.Random], str]:
    choices = options.split(";")
    return lambda rng: rng.choice(choices)


def _bands(rng: random.Random) -> str:
    low = rng.randint(-40, 20)
    return f"{low} to {low + rng.randint(10, 70)} °C"


_reason = _topic(
    "an expired certificate;a full disk;a faulty power supply;a wrong firewall rule;a memory leak in the scheduler;"
    "a broken database index;a mistyped configuration value;a failed network switch;an overloaded queue;"
    "a bug in the login service;a cut fibre cable;a missing software licence;a corrupted backup"
)
_request = _topic(
    "refund requests;travel requests;purchases above the limit;new user accounts;overtime;contract changes;"
    "press enquiries;data exports;remote work abroad;training courses;software installations;visitor passes;"
    "price exceptions;job offers;expense reports;warranty claims"
)
_record = _topic(
    "customer invoices;access logs;job applications;call recordings;backup tapes;audit reports;camera footage;"
    "training certificates;support tickets;visitor lists;payroll files;sensor readings;signed contracts;chat transcripts"
)
_expense = _topic(
    "a hotel night;breakfast;dinner with a client;a taxi ride;parking;a train ticket;mileage;internet at home;"
    "a desk chair;a mobile phone;a conference ticket;team lunch;a monitor;language lessons"
)
_task = _topic(
    "the fire drill;the stock count;the security training;the price review;the supplier audit;the board meeting;"
    "the filter replacement;the calibration;the password change;the safety inspection;the performance review;"
    "the backup test;the newsletter;the licence renewal"
)
place = _topic(
    "head office;warehouse;laboratory;repair centre;main factory;training centre;data centre;showroom;call centre"
)
material = _topic(
    "aluminium;stainless steel;recycled plastic;oak wood;carbon fibre;brass;ceramic;tempered glass;bamboo;titanium;wool;cork"
)
colour = _topic("matte black;silver;dark green;sand;navy blue;white;orange;graphite;wine red;light grey")

SCHEMAS: tuple[Schema, ...] = (
    Schema(
        "Price list",
        _the_product,
        money,
        "{S} costs {v}.|The price of {s} is {v}.|{S} is sold for {v}.|{S} is available at {v}, tax included.|Customers pay {v} for {s}.",
        "What does {s} cost?|How much is {s}?|What is the price of {s}?|How much do I pay for {s}?|Price of {s}?|Tell me what {s} sells for.",
    ),
    Schema(
        "Plans",
        plan,
        lambda r: f"{money(r)} {r.choice(_UNITS)}",
        "{S} costs {v}.|{S} is billed at {v}.|For {s} we charge {v}.|The fee for {s} is {v}.",
        "What does {s} cost?|How much is {s}?|What is the fee for {s}?|How much would I pay for {s}?|What do you charge for {s}?",
    ),
    Schema(
        "Plans",
        plan,
        lambda r: (
            f"{count(r)} {r.choice(['users', 'devices', 'projects', 'sites', 'seats', 'gigabytes', 'mailboxes', 'dashboards'])}"
        ),
        "{S} includes {v}.|{S} covers up to {v}.|With {s} customers get {v}.|{S} is limited to {v}.",
        "How much is included in {s}?|What does {s} include?|What is the limit of {s}?|How many can I have with {s}?|What do I get with {s}?",
    ),
    Schema(
        "Returns",
        _the_product,
        span,
        "{S} may be returned within {v} of delivery.|Customers can send back {s} within {v}.|The return window for {s} is {v}.|Returns of {s} are accepted for {v}.",
        "How long can I return {s}?|Until when may {s} be sent back?|What is the return period of {s}?|How many days do I have to give back {s}?|Return window for {s}?",
    ),
    Schema(
        "Warranty",
        _the_product,
        span,
        "The warranty on {s} lasts {v}.|{S} comes with a guarantee of {v}.|{S} is covered by warranty for {v}.|Defects in {s} are repaired free of charge for {v}.",
        "How long is the warranty on {s}?|What guarantee does {s} have?|For how long is {s} covered if it breaks?|Warranty period of {s}?",
    ),
    Schema(
        "Support",
        plan,
        span,
        "Customers with {s} receive a first reply within {v}.|The response time for {s} is {v}.|Support answers tickets from {s} within {v}.",
        "How fast does support reply on {s}?|What is the response time for {s}?|How long do customers of {s} wait for a first answer?|When will I hear back with {s}?",
    ),
    Schema(
        "Leave",
        _topic(
            "parental leave;annual leave;sick leave;study leave;unpaid leave;care leave;sabbatical;bereavement leave;wedding leave"
        ),
        span,
        "Employees are entitled to {v} of {s}.|The company grants {v} of {s}.|{S} is limited to {v} per case.|Staff may take {v} of {s}.",
        "How much {s} do employees get?|How long is {s}?|What is the entitlement to {s}?|How long may staff be away on {s}?",
    ),
    Schema(
        "Expenses",
        _expense,
        money,
        "The limit for {s} is {v}.|The company reimburses up to {v} for {s}.|For {s}, staff can claim at most {v}.|{S} is paid up to {v}.",
        "What is the limit for {s}?|How much can I claim for {s}?|How much is reimbursed for {s}?|What may {s} cost at most?",
    ),
    Schema(
        "Approvals",
        _request,
        lambda r: r.choice([person(r), f"the {r.choice(_ROLES)}", department(r)]),
        "{S} must be approved by {v}.|{v} approves {s}.|{S} need the consent of {v}.|Send {s} to {v} for approval.",
        "Who approves {s}?|Whose approval do {s} need?|Who must agree to {s}?|Who signs off {s}?|Who decides on {s}?",
    ),
    Schema(
        "People",
        lambda r: f"{r.choice(_ROLES)}",
        person,
        "{v} is the {s}.|The {s} is {v}.|{v} was appointed {s}.|{v} has been the {s} since last year.",
        "Who is the {s}?|What is the name of the {s}?|Which person is the {s}?|Who works as {s}?",
    ),
    Schema(
        "Company",
        company,
        lambda r: r.choice(_CITIES),
        "{S} is based in {v}.|{S} has its headquarters in {v}.|The head office of {s} is in {v}.|{S} was founded in {v}.",
        "Where is {s} based?|In which city is {s}?|Where does {s} have its office?|What is the location of {s}?",
    ),
    Schema(
        "Company",
        company,
        count,
        "{S} employs {v} people.|{S} has a staff of {v}.|At the end of the year {s} had {v} employees.",
        "How many people work at {s}?|How large is the staff of {s}?|How many employees does {s} have?|What is the headcount of {s}?",
    ),
    Schema(
        "Locations",
        place,
        lambda r: r.choice(_CITIES),
        "The {s} is in {v}.|The {s} moved to {v}.|Our {s} is located in {v}.|The {s} opened in {v}.",
        "Where is the {s}?|In which city is the {s}?|What is the location of the {s}?|Which town is the {s} in?",
    ),
    Schema(
        "Data sheet",
        _the_product,
        lambda r: f"{r.randint(2, 900)} {r.choice(['g', 'kg', 'grams', 'kilograms'])}",
        "{S} weighs {v}.|The weight of {s} is {v}.|{S} has a mass of {v} including the case.",
        "How heavy is {s}?|What does {s} weigh?|What is the weight of {s}?",
    ),
    Schema(
        "Data sheet",
        _the_product,
        lambda r: f"{r.randint(2, 400)} {r.choice(['hours', 'days', 'minutes'])}",
        "The battery of {s} lasts {v}.|{S} runs for {v} on one charge.|{S} has a battery life of {v}.",
        "How long does the battery of {s} last?|What is the battery life of {s}?|How long does {s} run without charging?",
    ),
    Schema(
        "Data sheet",
        _the_product,
        _bands,
        "{S} works at {v}.|The operating temperature of {s} is {v}.|Use {s} only from {v}.",
        "At what temperature does {s} work?|What is the operating temperature of {s}?|In which temperature range can I use {s}?",
    ),
    Schema(
        "Data sheet",
        _the_product,
        lambda r: (
            f"{r.randint(2, 900)} {r.choice(['m', 'metres', 'km', 'mm', 'cm', 'litres', 'watts', 'volts', 'GB', 'dB', 'lumens', 'bar'])}"
        ),
        "The range of {s} is {v}.|{S} is rated at {v}.|{S} reaches {v}.|The capacity of {s} is {v}.",
        "What is the range or rating of {s}?|How much does {s} reach?|What is {s} rated at?|What is the capacity of {s}?",
    ),
    Schema(
        "Data sheet",
        _the_product,
        lambda r: r.choice([material(r), colour(r)]),
        "The housing of {s} is {v}.|{S} comes in {v}.|{S} has a {v} case.",
        "What is the housing of {s} like?|In what finish does {s} come?|What case does {s} have?",
    ),
    Schema(
        "Release notes",
        lambda r: f"version {r.randint(1, 12)}.{r.randint(0, 12)}",
        date,
        "{S} was released on {v}.|We published {s} on {v}.|{S} became available on {v}.",
        "When was {s} released?|What is the release date of {s}?|Since when is {s} available?|When did {s} come out?",
    ),
    Schema(
        "Release notes",
        lambda r: f"version {r.randint(1, 12)}.{r.randint(0, 12)}",
        _topic(
            "offline mode;dark theme;a faster search;two-factor login;a French translation;automatic backups;the export to PDF;"
            "a new calendar;shared folders;voice control;a bulk import;email alerts;an audit log;single sign-on"
        ),
        "{S} adds {v}.|New in {s}: {v}.|{S} introduced {v}.|With {s}, users get {v}.",
        "What is new in {s}?|What does {s} add?|Which feature came with {s}?|What did {s} introduce?",
    ),
    Schema(
        "Incident report",
        lambda r: f"incident {code(r)}",
        _reason,
        "{S} was caused by {v}.|The root cause of {s} was {v}.|{S} happened because of {v}.|Engineers traced {s} to {v}.",
        "What caused {s}?|What was the reason for {s}?|Why did {s} happen?|What was behind {s}?",
    ),
    Schema(
        "Incident report",
        lambda r: f"incident {code(r)}",
        span,
        "{S} lasted {v}.|Service was down for {v} during {s}.|It took {v} to resolve {s}.|{S} was closed after {v}.",
        "How long did {s} last?|What was the duration of {s}?|How long was the outage in {s}?|How long did it take to fix {s}?",
    ),
    Schema(
        "Contract",
        lambda r: f"the agreement with {company(r)}",
        lambda r: r.choice([span(r), span(r)]),
        "{S} may be terminated with {v} of notice.|The notice period of {s} is {v}.|Either party can end {s} by giving {v} of notice.",
        "What is the notice period of {s}?|How can {s} be ended?|How much notice is needed to leave {s}?",
    ),
    Schema(
        "Contract",
        lambda r: f"the agreement with {company(r)}",
        lambda r: r.choice([money(r), percent(r) + " of the annual fee"]),
        "Liability under {s} is limited to {v}.|The liability cap of {s} is {v}.|Under {s}, damages are capped at {v}.",
        "What is the liability limit of {s}?|How high can damages be under {s}?|To what amount is liability under {s} capped?",
    ),
    Schema(
        "Contract",
        lambda r: f"invoices of {company(r)}",
        span,
        "{S} are due within {v}.|{S} must be paid within {v}.|The payment term for {s} is {v}.",
        "When are {s} due?|How soon must {s} be paid?|What is the payment term for {s}?",
    ),
    Schema(
        "Contract",
        lambda r: f"the contract with {company(r)}",
        lambda r: r.choice(
            [
                "the law of " + c
                for c in ("Germany", "France", "England", "Norway", "Spain", "Japan", "Canada", "Austria")
            ]
        ),
        "{S} is governed by {v}.|{v} applies to {s}.|The governing law of {s} is {v}.",
        "Which law applies to {s}?|What is the governing law of {s}?|Under which law is {s}?",
    ),
    Schema(
        "Records",
        _record,
        span,
        "{S} are kept for {v}.|{S} are deleted after {v}.|The retention period for {s} is {v}.|We store {s} for {v}.",
        "How long are {s} kept?|When are {s} deleted?|What is the retention period for {s}?|For how long do we store {s}?",
    ),
    Schema(
        "Calendar",
        _task,
        lambda r: r.choice(
            [
                "every " + span(r),
                date(r),
                "on the first Monday of the month",
                "twice a year",
                "every quarter",
                "once a year",
                "every Friday",
            ]
        ),
        "{S} takes place {v}.|{S} is due {v}.|{S} is scheduled {v}.|We plan {s} {v}.",
        "When is {s}?|How often is {s}?|When does {s} take place?|What is the schedule of {s}?",
    ),
    Schema(
        "Security",
        _topic(
            "passwords;access cards;administrator accounts;guest accounts;laptops;encryption keys;API tokens;door codes"
        ),
        lambda r: r.choice(
            [
                f"at least {r.randint(6, 24)} characters",
                "every " + span(r),
                "after " + span(r),
                f"after {r.randint(3, 9)} failed attempts",
            ]
        ),
        "The rule for {s} is: {v}.|{S} are renewed or checked {v}.|Our policy on {s} says {v}.",
        "What is the rule for {s}?|What does the policy say on {s}?|What applies to {s}?",
    ),
    Schema(
        "Shipping",
        lambda r: r.choice(_CITIES),
        lambda r: r.choice([span(r), money(r)]),
        "Delivery to {s} takes or costs {v}.|Shipping to {s}: {v}.|For parcels to {s} we state {v}.",
        "What about delivery to {s}?|What is stated for shipping to {s}?|What applies to parcels to {s}?",
    ),
    Schema(
        "Results",
        lambda r: (
            f"{_topic('revenue;profit;order intake;operating cost;export sales;service revenue')(r)} of {company(r)}"
        ),
        lambda r: r.choice(
            [
                f"{r.randint(1, 90)}.{r.randint(1, 9)} million {r.choice(['EUR', 'euros', 'dollars', 'pounds'])}",
                money(r),
            ]
        ),
        "The {s} was {v}.|The {s} rose to {v}.|The {s} fell to {v}.|In the last quarter the {s} reached {v}.",
        "What was the {s}?|How high was the {s}?|How much was the {s}?|What did the {s} amount to?",
    ),
    Schema(
        "Discounts",
        _topic(
            "orders above ten units;students;resellers;yearly payment;schools;charities;early payment;returning customers;staff;bulk orders"
        ),
        percent,
        "The discount for {s} is {v}.|{S} receive a reduction of {v}.|We grant {v} off to {s}.",
        "What discount applies to {s}?|How much off do {s} get?|What reduction is there for {s}?",
    ),
    Schema(
        "Contacts",
        department,
        lambda r: r.choice(
            [
                f"{word(r).lower()}@{word(r).lower()}.com",
                f"extension {r.randint(100, 9999)}",
                f"room {code(r)}",
            ]
        ),
        "You reach {s} at {v}.|{S} can be contacted at {v}.|Contact {s}: {v}.",
        "How do I reach {s}?|Where can I contact {s}?|What is the contact of {s}?",
    ),
    Schema(
        "Error codes",
        lambda r: f"error {code(r)}",
        _topic(
            "the filter is clogged;the battery is empty;the network is lost;the door is open;the sensor is dirty;the paper has run out;"
            "the pump is blocked;the memory is full;the licence has expired;the motor is too hot;the clock is wrong"
        ),
        "{S} means that {v}.|If {s} appears, {v}.|{S}: {v}.",
        "What does {s} mean?|What is {s}?|Why do I see {s}?|The screen shows {s}, what is wrong?",
    ),
)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def fact_about(rng: random.Random, schema: Schema, subject: str) -> Fact:
    """State a fresh value for this schema and subject."""
    value = schema.value(rng)
    sentence = rng.choice(schema.sentences.split("|")).format(s=subject, S=_capital(subject), v=value)
    tail = rng.random()
    if tail < 0.12:
        sentence = f"{rng.choice(['Since', 'From', 'As of'])} {date(rng)}, " + (
            sentence
            if sentence[:2].isupper()
            or sentence.split()[0][0] in "€$£"
            or (subject[:1].isupper() and sentence.startswith(subject))
            or (value[:1].isupper() and sentence.startswith(value))
            else sentence[0].lower() + sentence[1:]
        )
    questions = tuple(q.format(s=subject) for q in schema.questions.split("|"))
    return Fact(schema.title, _capital(sentence), questions, value)


def facts(rng: random.Random, number: int) -> list[Fact]:
    """`number` facts of one invented company; some share a schema or subject, so distractors are near."""
    out: list[Fact] = []
    while len(out) < number:
        schema = rng.choice(SCHEMAS)
        for _ in range(rng.choice([1, 1, 2, 3])):
            out.append(fact_about(rng, schema, schema.subject(rng)))
    return out[:number]


def table(rng: random.Random) -> tuple[str, list[str], list[tuple[str, ...]]]:
    """A small table: title, header, rows (first column names the row)."""
    columns: list[tuple[str, Callable[[random.Random], str]]] = [
        ("Price", money),
        ("Stock", count),
        ("Weight", lambda r: f"{r.randint(1, 90)} kg"),
        ("Manager", person),
        ("City", lambda r: r.choice(_CITIES)),
        ("Delivery", span),
        ("Launch", date),
        ("Margin", percent),
        ("Warranty", span),
        ("Colour", colour),
        ("Material", material),
        ("Order code", code),
        ("Users", count),
        ("Limit", money),
        ("Owner", person),
        ("Version", lambda r: f"{r.randint(1, 9)}.{r.randint(0, 20)}"),
        ("Response time", span),
        ("Budget", money),
        ("Power", lambda r: f"{r.randint(5, 900)} W"),
        ("Contact", person),
    ]
    first, maker = rng.choice(
        [
            ("Product", product),
            ("Plan", lambda r: rng.choice(_PLANS)),
            ("Item", product),
            ("Department", lambda r: rng.choice(_DEPARTMENTS).capitalize()),
            ("Country", lambda r: rng.choice(_CITIES)),
            ("Model", product),
            ("Part", code),
        ]
    )
    chosen = rng.sample(columns, rng.randint(2, 4))
    names: list[str] = []
    while len(names) < rng.randint(3, 6):
        name = maker(rng)
        if name not in names:
            names.append(name)
    rows = [(name, *(make(rng) for _, make in chosen)) for name in names]
    return (
        f"{word(rng)} {rng.choice(['list', 'table', 'overview', 'sheet'])}",
        [first, *(c for c, _ in chosen)],
        rows,
    )
