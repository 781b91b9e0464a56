"""Whether the first rows of a table name its columns, as far as the words themselves can tell.

Enters: the first rows of a table as text. Leaves: how many rows stand above the table, how many name its
columns, and whether the rows are label, value, label, value. It knows no file format.

A wrong label turns a value into a falsehood, so a row counts as the header only when that is near certain:
every column adds the logarithm of how much likelier its first cell is as a name than as one more of the
values below it (their kind, spelling and repetition), with +0.3 or so added to each count, as the first cell
may always be the odd one out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import log

Row = Sequence[str]

CERTAIN = 1.5  # the evidence that a header needs
LIKELY = 0.5  # and where the look of the table speaks for one too
LONGEST_LABEL = 40  # characters of a label in a form
LONGEST_FORM = 40  # rows


@dataclass(frozen=True)
class Layout:
    """What the first rows of a table are: `above` captions, then `headers` rows that name the columns."""

    above: int = 0
    headers: int = 0
    form: bool = False


def layout(rows: Sequence[Row], likely: bool = False) -> Layout:
    """Tell what the rows are; `rows` are the first of the table, none of them empty.

    `likely` says that the first row looks like a header, as it does in most programs unless somebody minds.
    """
    above = _above(rows)
    table = [[*row] for row in rows[above:]]
    if is_form(table):
        return Layout(above, form=True)
    table = [row for at, row in enumerate(table) if not at or row != table[0]]  # come again on a next page
    if len(table) < 2:
        return Layout(above)
    if is_grouped(table):
        return Layout(above, 2)
    certain = _evidence(table[0], table[1:]) >= (LIKELY if likely else CERTAIN)
    if not certain or not (_width(table) > 2 or _names_pair(table, likely)):
        return Layout(above)
    return Layout(above, 2 if has_units(table) else 1)


def _names_pair(table: Sequence[Row], likely: bool) -> bool:
    """Two columns need more, since "left: right" reads as well: names above values of one kind."""
    first, *body = table
    kinds = {kind_of(row[1]) for row in body if len(row) > 1} - {""}
    named = all(map(is_name, filter(None, first))) or (likely and len(body) > 2)
    return named and len(kinds) == 1 and kinds != {"words"}


def _above(rows: Sequence[Row]) -> int:
    """Leading rows with one or two cells, above a table that is clearly wider."""
    widths = Counter(map(extent, rows))
    width = max(widths, key=lambda each: (widths[each], each))
    for at, row in enumerate(rows):
        filled = len({*row} - {""}) if len({*row}) == 1 else sum(map(bool, row))  # one text over all columns
        if filled > 2 or filled >= width or (not row[0] and filled == width - 1 > 1):
            return at
    return 0


def extent(row: Row) -> int:
    """Columns up to the last that is filled."""
    return next((at for at in range(len(row), 0, -1) if row[at - 1]), 0)


def _width(rows: Sequence[Row]) -> int:
    return max(map(extent, rows), default=0)


# --- kinds of cells --------------------------------------------------------------------------------

_NOTHING = "- – — -- . .. … ... ? n/a na n.a. n/k k.a. nil null nan none tbd tba unknown unbekannt inconnu"
_MISSING = frozenset(_NOTHING.split()) | {""}
_NUMBER = r"[-+−±(]?\s?\d[\d.,'’  ]*\)?"
_CURRENCY = r"(?:[$€£¥₹₺₽₩฿]|[A-Z]{3}|[CAU]?S?\$|kr\.?|zł|Kč|Ft|lei|euros?|dollars?|pounds?|cents?)"
_MONTH = r"(?:jan|feb|mar|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz]|mär|févr|avr|juin|juil|août|déc)\w*\.?"
_KINDS = re.compile(
    rf"""(?P<year>(?:1[5-9]|20)\d\d)
    |(?P<date>\d{{4}}-\d\d?-\d\d?(?:[ T]\d\d?:\d\d(?::\d\d)?\S*)?
        |\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}(?:\ .*\d)?
        |\d{{1,2}}\.?\ {_MONTH}(?:\ \d{{4}})?|{_MONTH}\ (?:\d{{1,2}},?\ ?)?(?:\d{{4}})?)
    |(?P<time>\d{{1,2}}:\d\d(?::\d\d)?(?:\ ?[ap]\.?m\.?)?)
    |(?P<percent>{_NUMBER}\s?%)
    |(?P<money>[-+−(]?{_CURRENCY}\s?{_NUMBER}[kKmM]?|{_NUMBER}\s?{_CURRENCY})
    |(?P<number>{_NUMBER}(?:[eE][-+]?\d+)?)
    |(?P<range>\d[\d.,:]*\s?[-–]\s?\d[\d.,:]*)
    |(?P<quantity>[-+±≤≥<>~−]?\s?\d[\d.,]*(?:\s?[-–/x×]\s?\d[\d.,]*)?\s?[^\W\d]\S*(?:\s[^\W\d]\S*)?)
    |(?P<address>\S+@\S+\.\w+|https?://\S+|www\.\S+)
    |(?P<choice>yes|no|true|false|ja|nein|oui|non|s[ií]|nej|nie|tak|x|[✓✔✗✘☐☑☒])
    |(?P<code>(?=\S*\d)\S{{1,40}})""",
    re.X | re.I,
)
# How often the cell of a header is of a kind.
_NAMES = {
    "year": 0.03, "number": 0.01, "money": 0.004, "percent": 0.004, "date": 0.01, "time": 0.004,
    "range": 0.01, "quantity": 0.02, "address": 0.001, "choice": 0.002, "code": 0.05, "mixed": 0.05,
    "words": 0.9,
}  # fmt: skip


def kind_of(cell: str) -> str:
    """ "number", "date" ..., "words" without digits, "mixed" with some, "" where nothing is said."""
    return _short_kind(cell) if len(cell) <= 60 else _kind_of_words(cell)


@lru_cache(maxsize=4096)  # columns hold the same values often, and each is asked for again and again
def _short_kind(cell: str) -> str:
    if cell.lower() in _MISSING:
        return ""
    found = _KINDS.fullmatch(cell)
    return str(found.lastgroup) if found else _kind_of_words(cell)


def _kind_of_words(cell: str) -> str:
    return "mixed" if any(map(str.isdigit, cell)) else "words"


# --- evidence --------------------------------------------------------------------------------------


def _evidence(first: Row, body: Sequence[Row]) -> float:
    """How certain it is that `first` names the columns of `body`: a log-likelihood ratio."""
    width = extent(first)
    told = [[(row[at], kind_of(row[at])) for row in body if at < len(row)] for at in range(width)]
    columns = [[cell for cell, kind in column if kind] for column in told]
    if not body or not any(columns) or max(map(len, first)) > 200:
        return -10.0
    ordered = _sequence(first)
    score = _sequence_evidence(first, body, columns, ordered) if ordered else 0.0
    pairs = [*zip(first[:width], columns, strict=True)]
    for at, (cell, below) in enumerate(pairs):
        if cell and below and not (ordered and at in ordered.columns):
            score += _column_evidence(cell, below, Counter(kind for _, kind in told[at]))
    again = max(Counter(filter(None, first)).values()) - 2
    score -= 1.5 * max(again, 0)  # a name hardly comes three times
    score -= sum(not cell and len(below) > 0.5 * len(body) for cell, below in pairs[1:])  # nor is it missing
    return score + _names_evidence(first, body) + _corner_evidence(first, body) + _case_evidence(first)


def _column_evidence(cell: str, below: Sequence[str], kinds: Counter[str]) -> float:
    """`below` are the cells that say something, `kinds` how many are of each kind."""
    kind = kind_of(cell)
    count = len(below)
    if not kind:
        return 0.0
    score = min(log(_NAMES[kind] * (count + 1) / (kinds[kind] + 0.3)), 4.0)
    if kind == "words" and kinds["words"] > 0.5 * count:
        score += _novelty([cell, *below]) + _spelling(cell, below)
    return score


def _novelty(cells: Sequence[str]) -> float:
    """A name does not come again below; a value does as often as the other values of its column."""
    first, *below = (cell.casefold() for cell in cells)
    seen = Counter(below)
    if first in seen:
        return -3.0
    single = sum(count == 1 for count in seen.values())
    ratio = log((len(below) + 1) / (single + 0.5)) if single < len(below) else 0.0
    return min(ratio, 2.0) * len(below) / (len(below) + 3)


def _spelling(cell: str, below: Sequence[str]) -> float:
    """Values that all begin in lower case, or are all in capitals, under a name that does not."""
    count = len(below)
    shared = sum(_case(each) == _case(cell) for each in below)
    ratio = log(0.5 * (count + 1) / (shared + 0.5))
    return min(max(ratio, -0.3), 2.0) * count / (count + 1)


def _case(cell: str) -> str:
    """lower, upper or title, by the letters of a cell."""
    letters = [letter for letter in cell if letter.isalpha()]
    if not letters or letters[0].islower():
        return "lower" if letters else ""
    return "upper" if len(letters) > 1 and all(map(str.isupper, letters)) else "title"


def _case_evidence(first: Row) -> float:
    """Names are mostly spelled alike."""
    cases = {_case(cell) for cell in first if kind_of(cell) == "words"}
    return -0.7 if len(cases - {""}) > 1 else 0.0


def _corner_evidence(first: Row, body: Sequence[Row]) -> float:
    """An empty corner: names above every column but the first, which is filled below."""
    width = _width(body)
    across = len(first) >= width > 1 and not first[0] and all(first[1:width])
    return 1.6 if across and all(row[0] for row in body) else 0.0


_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec mär mai okt dez"
MONTHS = dict(zip(_MONTHS.split(), (*range(1, 13), 3, 5, 10, 12), strict=True))

# --- names that are numbers --------------------------------------------------------------------------

_PARTS = re.compile(r"(\D*?)[-+−]?(\d+(?:[.,]\d+)?)(\D*?)(?:[-–]\s?(\d+(?:[.,]\d+)?)(\D*))?")
_ORDINAL = re.compile(r"^(?:st|nd|rd|th|\.|er|e)\b")
_MONTH_OF_YEAR = re.compile(
    r"(?P<name>[^\W\d]{3,9})\.?[ '’/-]{1,2}(?P<of>\d{4}|\d\d)|(?P<year>\d{4})-(?P<month>\d\d)(?:-01)?"
    r"|(?P<first>\d\d?)/(?P<last>20\d\d|\d\d)"
)
_PART_OF_YEAR = re.compile(r"(Q|T|H|S|K|KW|CW|W)\.? ?(\d\d?) ?[ '’/.-] ?((?:20)?\d\d)", re.I)


@dataclass(frozen=True)
class _Sequence:
    """Neighbouring cells that go up or down: their columns, what stands around their numbers, the steps."""

    columns: frozenset[int]
    unit: tuple[str, ...]
    steps: tuple[float, ...]


def _sequence(row: Row) -> _Sequence | None:
    """2019 2020, 30 days 60 days, 0-5 6-12; other bare numbers need equal steps or ratios, and to be three.

    Something else must stand beside them.
    """
    places = [at for at, cell in enumerate(row) if kind_of(cell) not in ("", "words")]
    if len(places) < 2 or len(places) > places[-1] - places[0] + 1 or places[-1] - places[0] >= len(places):
        return None
    found = [_numbered(row[at]) for at in places]
    spans = [(low, high) for each in found if each for low, high, _ in [each]]
    units = {unit for each in found if each for *_, unit in [each]}
    if len(spans) < len(places) or len(units) != 1 or len(places) == len(row):
        return None
    (unit,) = units
    lows = [low for low, _ in spans]
    rising = all(low < two and high <= two for (low, high), (two, _) in pairwise(spans))  # 0-2 kg, 2-5 kg
    falling = all(one > two for one, two in pairwise(lows)) and all(low == high for low, high in spans)
    if not (rising or falling):
        return None
    bare = not any(unit) and not all(1500 <= low <= 2100 for low in lows)
    steps = tuple(after - before for before, after in pairwise(lows))
    return None if bare and not _is_regular(lows) else _Sequence(frozenset(places), unit, steps)


def _numbered(cell: str) -> tuple[float, float, tuple[str, ...]] | None:
    """(first, last, what stands around them) of a number or range; months count from the year nought."""
    if found := _MONTH_OF_YEAR.fullmatch(cell):
        name, month = found["name"], found["month"] or found["first"]
        number = MONTHS.get(name[:3].casefold()) if name else int(month) % 13
        at = 12.0 * _year(found["of"] or found["year"] or found["last"]) + (number or 0)
        return (at, at, ("month",)) if number else None
    if found := _PART_OF_YEAR.fullmatch(cell):
        at = 60.0 * _year(found[3]) + int(found[2])
        return at, at, (found[1].casefold(),)
    parts = _PARTS.fullmatch(cell) if kind_of(cell) not in ("date", "time") else None
    if parts is None:
        return None
    before, first, after, last, end = parts.groups("")
    kind = "-" if last else ""
    unit = (before.strip(), _ORDINAL.sub("", after).strip().rstrip("s"), kind + end.strip().rstrip("s"))
    return float(first.replace(",", ".")), float((last or first).replace(",", ".")), unit


def _year(digits: str) -> int:
    return int(digits) + (2000 if len(digits) == 2 else 0)


def _is_regular(numbers: Sequence[float]) -> bool:
    """Three or more with equal steps or equal ratios."""
    steps = [after - before for before, after in pairwise(numbers)]
    ratios = [after / before for before, after in pairwise(numbers) if before]
    return any(
        max(each) - min(each) < 1e-6 * max(map(abs, each)) for each in (steps, ratios) if len(each) > 1
    )


def _sequence_evidence(
    first: Row, body: Sequence[Row], columns: Sequence[Sequence[str]], ordered: _Sequence
) -> float:
    """Numbers above a table are names when the rows below are not ordered like them.

    Years above other numbers: 1500 and 1610 are only ordered like 2023 and 2024 among years.
    """
    found = [_sequence(row) for row in body]
    kinds = [kind_of(cell) for at in ordered.columns for cell in columns[at]]
    years = not any(ordered.unit) and kinds.count("year") < 0.5 * len(kinds)
    likewise = sum(
        each is not None
        and each.unit == ordered.unit
        and each.columns >= ordered.columns
        and (not years or each.steps == ordered.steps)
        for each in found
    )
    score = min(log(0.5 * (len(body) + 1) / (likewise + 0.3)), 3.0)
    differs = all(kind_of(first[at]) not in map(kind_of, columns[at]) for at in ordered.columns)
    return score + (1.0 if differs else 0.0)


# --- names that are words ----------------------------------------------------------------------------

# Words that name columns in the languages of `languages`, and hardly ever are values of one.
_COLUMN_NAMES = """
account action address age album altitude amount answer area article artist attendance author average
award balance barcode batch birthday birthplace brand builder built candidate capacity capital category
cause cell census certification champion charge city class client closed club coach code color colour
column comment company competition condition constructor contact content cost count country county course
crew currency customer data date dates day deadline debut default definition delivery department dept
depth description detail details developer device diameter director discount distance district dose
driver due duration editor effect elevation email employee end engine error ethnicity event example
expiry ext extension family fax feature fee field file filename film first floor format frequency from
fruit function gender genre goals grade group head height host hours id identifier index ingredient
interval invoice isbn issue item job key kind label language laps last latitude length level limit line
link location longitude losses manager manufacturer mass material maximum mayor meaning measure message
method minimum mobile mode model month name nation nationality network nickname no nominee note notes nr
number object occupation opened operator opponent option order origin output owner package page parameter
parent part party path peak penalty percent percentage period permit person phone place plan plate
platform point points population port position postcode power pressure price priority probability problem
process producer product profession profit project pronunciation property province publisher purpose
quantity quarter question rank rate rating ratio reason receiver record reference region remark remarks
requirement response responsible result rider role room round route row rule runner-up runtime salary
score season seats section sector sender serial service setting severity sex share shift singer site size
sku song source species speed stage start state station status stock stop street subject subtotal sum
supplier surname symbol symptom synonym table tariff task tax team telephone temperature term text time
timestamp title to topic total tournament town translation type tyres uid unit units url usage use used
user username vacation valid value variable variety vat vehicle vendor venue version village voltage
volume votes warehouse warranty week weeks weight width winner wins worker year yield zip zone
abteilung adresse alter anmerkung anzahl art artikel artikelnummer autor beginn bemerkung beruf
beschreibung bestand betrag bezeichnung datum dauer einheit einwohner ende farbe firma frist gebühr
gewicht grösse größe gruppe hersteller höhe jahr kategorie kosten kunde land länge lager lieferant menge
monat nachname nummer ort plz preis produkt rabatt raum spalte sprache stadt straße strasse stück stunden
summe tag telefon termin thema typ uhrzeit verantwortlich vorname währung wert zeit zeitraum ziel zimmer
zuständig année auteur catégorie commentaire coût couleur délai désignation durée entreprise fournisseur
heure jour langue libellé lieu mois montant nom nombre numéro pays poids prénom prix produit quantité
référence région remise remarque salle taille tarif téléphone titre unité valeur ville año apellido
cantidad categoría ciudad cliente código coste costo descripción dirección fecha hora importe lugar mes
moneda número observaciones país peso plazo precio producto proveedor puesto sala tamaño teléfono tipo
título unidad valor anno articolo categoria città codice cognome descrizione ditta durata fornitore
giorno importo indirizzo luogo mese nome numero ora paese prezzo prodotto provincia quantità reparto
sconto telefono titolo valore aantal adres afdeling bedrag categorie duur jaar kleur klant leverancier
locatie maand naam omschrijving opmerking plaats prijs soort stad tijd titel waarde cena dział ilość imię
jednostka kategoria klient kod kraj kwota miasto miesiąc nazwa nazwisko numer opis rok stanowisko stawka
uwagi waga wartość částka číslo doba dodavatel hmotnost jméno jednotka měsíc město množství název
oddělení popis poznámka příjmení adress antal avdelning beskrivning enhet kategori kostnad kund namn pris
storlek tid år ad adet açıklama fiyat isim miktar saat şehir soyad tarih tutar tür ülke ürün вес город
группа дата единица имя код количество название номер описание отдел примечание сумма тип фамилия фирма
цена 日付 名前 価格 数量 合計 住所 電話 備考 商品 番号 种类 名称 价格 日期 备注 地址 电话 姓名 城市 编号
"""
_NAMES_OF_COLUMNS = frozenset(_COLUMN_NAMES.split())
# Names only where they are the whole cell: in dates they are values.
_DAYS = """
monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun january february
march april may june july august september october november december jan feb mar apr jun jul aug sep oct
nov dec montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni juli
oktober dezember lundi mardi mercredi jeudi vendredi samedi dimanche
"""
_PERIODS = frozenset(_DAYS.split())
_UNITS = (
    r"%|[€$£¥]|EUR|USD|GBP|CHF|SEK|NOK|DKK|PLN|CZK|HUF|JPY|CNY|INR|AUD|CAD|TRY|BRL|k?g|mg|t|lbs?|oz|[ckm]?m[²³23]?|ft|in|h|hrs?|min|m?s|sec|days?|weeks?|months?|years?"
    r"|°?[CF]|K|V|m?A|[kM]?Wh?|m?l|L|bar|psi|h?Pa|Nm?|rpm|[kM]?Hz|[KMGT]B|pcs|units?|each|mio|bn|thousands"
    r"|millions|ppm|dB"
)
_UNIT = re.compile(rf"[(\[]?(?:in )?(?:{_UNITS})(?: ?[/·*] ?(?:{_UNITS}))?[)\]]?")
_UNIT_WORDS = {"", "unit", "units", "einheit", "unité", "unidad", "unità", "eenheid", "jednostka", "enhet"}
_IDENTIFIER = re.compile(
    rf"[a-z]+(?:_[a-z\d]+)+|[a-z]+(?:[A-Z][a-z\d]+)+|.*\S ?[(\[](?:in )?(?:{_UNITS})[)\]]|#|№"
)
_QUARTER = re.compile(
    r"(?:[QH][1-4]|FY|[KC]?W|week|kw|year) ?(?:\d{4}|\d\d)|\d{4} [QH][1-4]|(?:19|20)\d\d/\d\d", re.I
)
_DIGIT = re.compile(r"\d")
_MAY_NAME = re.compile(r"[^\W\d_]|[#№(\[/]")  # one of these is in whatever names a column: figures do not
_AFTER_A_NAME = re.compile(r"(?: ?[(\[][^()\[\]]*[)\]]|\.?(?: ?#?\d{1,2})?)$")  # "Team 2", "Age (1999)"


def is_name(cell: str) -> bool:
    """Whether columns are called so: a known word, alone or with others ("Unit price"), or an identifier."""
    return _is_short_name(cell) if len(cell) <= 60 else _is_name(cell)


@lru_cache(maxsize=4096)  # as kinds
def _is_short_name(cell: str) -> bool:
    return _is_name(cell)


def _is_name(cell: str) -> bool:
    if _MAY_NAME.search(cell) is None:
        return False
    name = _AFTER_A_NAME.sub("", cell)
    if name.casefold() in _PERIODS or _IDENTIFIER.fullmatch(cell) or _QUARTER.fullmatch(cell):
        return True
    if kind_of(name) not in ("words", "code") or len(name) > 60:
        return False
    words = re.findall(r"[^\W_]+(?:-[^\W_]+)*", name.casefold())
    ends = {words[0], words[-1]} if words and len(words) <= 4 else set()
    return any(word in _NAMES_OF_COLUMNS or word.removesuffix("s") in _NAMES_OF_COLUMNS for word in ends)


def _names_evidence(first: Row, body: Sequence[Row]) -> float:
    """More such words in the first row than in those below."""
    below = sum(sum(map(is_name, row)) for row in body[:20]) / len(body[:20])
    return min(max(1.3 * (sum(map(is_name, first)) - below), -1.0), 5.0)


# --- header rows in pairs ----------------------------------------------------------------------------


_GROUP_NAMES = ("words", "year", "mixed", "code", "quantity")


def is_grouped(table: Sequence[Row]) -> bool:
    """Whether the first row names groups of columns (gaps, or names repeated), and the second each."""
    if not _has_groups(table):
        return False
    if _evidence(table[1], table[2:]) >= CERTAIN:
        return True
    width = _first_group(table)
    return width > 0 and _evidence(table[1][:width], [row[:width] for row in table[2:]]) >= CERTAIN


def _first_group(table: Sequence[Row]) -> int:
    """Columns up to the end of the first group, where all groups hold the same names; else 0.

    A column that has one name for both rows is no group.
    """
    top, sub = ([*row, *[""] * _width(table)][: _width(table)] for row in table[:2])
    starts = [at for at in range(1, len(top)) if top[at] and top[at] != top[at - 1]]
    ends = [*starts[1:], len(top)]
    spans = [span for span in zip(starts, ends, strict=True) if _is_group(top, sub, *span)]
    groups = [tuple(sub[start:end]) for start, end in spans]
    return spans[0][1] if len(groups) > 1 and len({*groups}) == 1 and all(groups[0]) else 0


def _is_group(top: Row, sub: Row, start: int, end: int) -> bool:
    return end - start > 1 or sub[start] not in ("", top[start])


def _has_groups(table: Sequence[Row]) -> bool:
    if len(table) < 3 or _width(table) < 3:
        return False
    width = max(extent(table[0]), extent(table[1]))
    top, sub = ([*row, *[""] * width][:width] for row in table[:2])
    inside = [at for at in range(1, width) if not top[at] or top[at] == top[at - 1]]
    inside = [at for at in inside if at > 1 or top[0] != sub[0]]
    if not inside or not all(sub[at] and sub[at] != sub[at - 1] for at in inside):
        return False
    groups = {at for at in range(width) if at + 1 in inside and top[at]}
    named = all(sub[at] or top[at] for at in range(1, width)) and all(sub[at] for at in groups)
    return bool(groups) and named and all(kind_of(cell) in (*_GROUP_NAMES, "") for cell in top)


def has_units(table: Sequence[Row]) -> bool:
    """Whether the row below the names tells the units of the numbers below it."""
    if len(table) < 3 or not _are_units(table[1]):
        return False
    places = [at for at, cell in enumerate(table[1]) if _UNIT.fullmatch(cell)]
    below = [kind_of(row[at]) for row in table[2:] for at in places if at < len(row) and row[at]]
    return sum(kind in _AMOUNTS or kind == "range" for kind in below) > 0.7 * len(below)


def _are_units(row: Row) -> bool:
    """Units and no more, but for the word itself above the rows' own names."""
    cells = [cell for at, cell in enumerate(row) if cell and (at or cell.casefold() not in _UNIT_WORDS)]
    return len(cells) > 1 and all(map(_UNIT.fullmatch, cells))


def labels(rows: Sequence[Row]) -> list[str]:
    """One label a column from one or two rows of names; a group's name holds for the gaps to its right."""
    if len(rows) < 2:
        return [*rows[0]] if rows else []
    if len(rows) == 2 and _are_units(rows[1]):
        names, units = ([*row, *[""] * len(rows[0])] for row in rows)
        units[0] = "" if units[0].casefold() in _UNIT_WORDS else units[0]
        pairs = zip(names[: len(rows[0])], units, strict=False)
        return [f"{name} ({unit.strip('()[] ')})" if unit else name for name, unit in pairs]
    width = max(map(len, rows))
    tops = [[*row, *[""] * (width - len(row))] for row in rows]
    for row in tops[:-1]:
        for at in range(1, width):
            if not row[at] and tops[-1][at] and at > 1:
                row[at] = row[at - 1]
    return [" ".join(dict.fromkeys(filter(None, names))) for names in zip(*tops, strict=True)]


def kinds_fit(names: Row, body: Sequence[Row], rows: Sequence[Row]) -> bool:
    """Whether rows are more of a table's: no wider, and their values of the kinds that its columns hold."""
    if _width(rows) > extent(names) or max(sum(map(bool, row)) for row in rows) < 2:
        return False
    for at in range(extent(names)):
        known, here = ({*map(_group_of, _column(each, at))} - {""} for each in (body, rows))
        if known and here and not known & here:
            return False
    return True


def may_name(row: Row, above: Row) -> bool:
    """Whether a row within a table looks like the header of another: words, many of them names."""
    if _has_digit("".join(row)) or not 2 < len(row) == len(set(row)) or not all(row):
        return False
    if any(kind_of(cell) != "words" for cell in row) or sum(map(is_name, row)) < 0.5 * len(row):
        return False
    return all(map(is_name, row)) or any(map(_group_of_amounts, above))


def _has_digit(text: str) -> bool:
    found = _DIGIT.search(text)  # of nearly all texts with one; the rest have ² and the like
    return found is not None or (not text.isascii() and any(map(str.isdigit, text)))


def _group_of_amounts(cell: str) -> bool:
    return _group_of(cell) == "amount"


def _column(rows: Sequence[Row], at: int) -> list[str]:
    return [row[at] for row in rows if at < len(row)]


def _group_of(cell: str) -> str:
    """Kinds of values that one column may hold together."""
    kind = kind_of(cell)
    groups = {"year": "amount", "number": "amount", "money": "amount", "percent": "amount", "range": "amount",
              "quantity": "amount", "mixed": "words", "code": "words", "choice": "words"}  # fmt: skip
    return groups.get(kind, kind)


# --- forms -------------------------------------------------------------------------------------------


_AMOUNTS = frozenset(("number", "money", "percent", "date", "time", "quantity", "year"))


def is_form(table: Sequence[Row]) -> bool:
    """Label, value, label, value in every row: the labels all different, the values of many kinds."""
    width = _width(table)
    if width < 4 or width % 2 or len(table) > LONGEST_FORM:
        return False
    pairs = [(row[at], row[at + 1]) for row in table for at in range(0, len(row) - 1, 2)]
    names = [label for label, _ in pairs if label]
    if any(value and not label for label, value in pairs) or len(set(names)) < len(names):
        return False
    if any(kind_of(name) != "words" or len(name) > LONGEST_LABEL for name in names):
        return False
    return _reads_as_form(table, names, [value for _, value in pairs if value])


def _reads_as_form(table: Sequence[Row], names: Sequence[str], values: Sequence[str]) -> bool:
    if sum(name.endswith(":") for name in names) > 0.6 * len(names):
        return True
    if len(table) < 2 or set(names) & set(values):
        return False
    columns = [[row[at] for row in table[1:] if at < len(row) and row[at]] for at in range(_width(table))]
    known = min(sum(map(is_name, column)) / max(1, len(column)) for column in columns[::2])
    if any(map(is_name, values)) or _evidence(table[0], table[1:]) >= CERTAIN:
        return False
    mixed = any(
        len(kinds) > 1 and kinds & _AMOUNTS for kinds in ({*map(kind_of, each)} for each in columns[1::2])
    )
    return known >= 0.5 or (mixed and len(table) > 2)
