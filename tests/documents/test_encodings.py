"""Any common encoding is read, declared or not; damage costs the letters it hit and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.documents.parsing import parse_file
from backends.system.encodings import decode, decoded

# Two short texts a language: a sentence, and a list of a few names among English words.
TEXTS = {
    "pl": ("Każdy uczeń może wypożyczyć książkę, a później oddać ją w ciągu miesiąca.", "Żółć, Łęg"),
    "cs": ("Děti mladší než šest let mají vstup volný, ostatní zaplatí třicet korun.", "Šíp, Řeř"),
    "hu": ("A könyvtár hétfőn zárva van, a többi napon nyolctól hatig várja az olvasókat.", "Győző, Ülő"),
    "tr": ("Müze pazartesi günleri kapalıdır, diğer günler saat altıya kadar açıktır.", "Ağrı, Işık"),
    "he": ("המוזיאון סגור בימי שני ופתוח בשאר הימים עד שש בערב", "תמר, אילן"),
    "el": ("Το μουσείο είναι κλειστό τη Δευτέρα και ανοιχτό τις άλλες ημέρες.", "Ήλιος, Γη"),
    "ru": ("Музей закрыт по понедельникам, в остальные дни он открыт до шести вечера.", "Щит, Объём"),
    "ja": (
        "美術館は月曜日が休みです。ほかの日は午後六時まで開いています。",
        "佐藤さん, 鈴木さん, 東京タワー",
    ),
    "zh": ("博物馆星期一闭馆，其余日子开放到下午六点，儿童免费入场。", "张伟先生, 李娜女士, 上海市"),
    "tw": ("博物館星期一休館，其餘日子開放到下午六點，兒童免費入場。", "張偉先生, 陳靜女士, 臺北市"),
    "ko": ("박물관은 월요일에 쉬고 다른 날에는 여섯 시까지 엽니다.", "김철수, 이영희, 서울시"),
    "de": ("Das Museum ist montags geschlossen, für Schüler ist der Eintritt ermäßigt: 3 €.", "Jürgen, Öz"),
    "fr": ("Le musée est fermé le lundi ; les élèves paient 3 € – tarif réduit, c’est réglé.", "Zoé, Noël"),
    "es": (
        "El museo cierra los lunes; los niños pequeños entran gratis todo el año. ¿Cuándo?",
        "Íñigo, José",
    ),
    "it": (
        "Il museo è chiuso il lunedì; la visita è gratuita per chi ha più di settant’anni.",
        "Niccolò, Forlì",
    ),
}
ENCODINGS = {
    "pl": ("cp1250", "iso8859-2"), "cs": ("cp1250", "iso8859-2"), "hu": ("cp1250", "iso8859-2"),
    "tr": ("cp1254",), "he": ("cp1255",), "el": ("cp1253", "iso8859-7"), "ru": ("cp1251", "koi8-r"),
    "ja": ("cp932", "euc-jp", "iso2022_jp"), "zh": ("gb18030",), "tw": ("big5",), "ko": ("cp949",),
    "de": ("cp1252", "iso8859-15"), "fr": ("cp1252",), "es": ("cp1252",), "it": ("cp1252",),
}  # fmt: skip
PAIRS = [(language, encoding) for language, found in ENCODINGS.items() for encoding in found]


@pytest.mark.parametrize(("language", "encoding"), PAIRS)
def test_undeclared_encodings_of_prose_and_of_a_few_names(language: str, encoding: str) -> None:
    sentence, names = TEXTS[language]
    for text in (sentence, " ".join([sentence] * 40), f"Name,Town\n{names}\n" * 3):
        found = decoded(text.encode(encoding))
        assert found.text == text
        assert len(found.notes) == 1 and found.notes[0].startswith("encoding guessed: ")


@pytest.mark.parametrize(
    "text", ["45 € – “paid”", "25 °C, 50 µm", "• one\n• two", "naïve résumé", "Größe: 7", "Señor Núñez", "né"]
)
def test_a_few_letters_beyond_ascii_are_western_european(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("place", ["start", "middle", "end"])
@pytest.mark.parametrize("damage", [b"\xff", b"\x80", b"\xc3"])
def test_a_bad_byte_in_utf_8_costs_one_letter(language: str, place: str, damage: bytes) -> None:
    text = TEXTS[language][0] * 3
    at = {"start": 0, "middle": len(text) // 2, "end": len(text)}[place]
    data = text[:at].encode() + damage + text[at:].encode()
    assert decode(data) == f"{text[:at]}\ufffd{text[at:]}"


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("zeros", [1, 2, 3, 64])
def test_zero_bytes_in_utf_8_cost_nothing(language: str, zeros: int) -> None:
    for text in TEXTS[language]:
        for at in (0, len(text) // 2, len(text)):
            assert decode(text[:at].encode() + b"\0" * zeros + text[at:].encode()) == text


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_encodings_without_a_mark(language: str, encoding: str) -> None:
    text = "\n".join(TEXTS[language]) * 2
    assert decode(text.encode(encoding)) == text


def test_utf_8_that_was_cut_within_a_letter_stays_utf_8() -> None:
    for text in ("Zoë paga 3 €", "価格は三百円", "only the last 日"):
        for length in (len(text.encode()) - 1, len(text.encode())):
            whole = text.encode()[:length].decode(errors="replace")
            assert decode(text.encode()[:length]) == whole


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("iso-8859-1", b"45 \x80 \x96 \x93paid\x94 \x85", "45 € – “paid” …"),  # as browsers do
        ("US-ASCII", b"caf\xe9", "café"),
        ("iso-8859-9", b"\xdeehir \x80", "Şehir €"),
        ("gb2312", "镕基".encode("gbk"), "镕基"),
        ("shift_jis", "髙橋①".encode("cp932"), "髙橋①"),
        ("windows-1251", b"\xd9\xe8\xf2", "Щит"),
        ("iso-8859-1", "Zoë, 45 €".encode(), "Zoë, 45 €"),  # it is UTF-8, whatever it says
        ("utf-8", "Jürgen, Öz, Größe".encode("cp1252"), "Jürgen, Öz, Größe"),
        ("windows-1252", TEXTS["pl"][0].encode("cp1250"), TEXTS["pl"][0]),  # the default of some program
        ("no-such-encoding", b"caf\xe9", "café"),
        ("hex", b"caf\xe9", "café"),
        (
            "euc-jp",
            "佐藤".encode("euc-jp") * 9 + b"\xff" + "鈴木".encode("euc-jp"),
            "佐藤" * 9 + "\ufffd鈴木",
        ),
    ],
)
def test_declared_encodings_are_what_browsers_take_them_for(label: str, data: bytes, text: str) -> None:
    assert decode(data, label) == text


def test_a_right_declaration_needs_no_note() -> None:
    assert decoded("Größe".encode("cp1252"), "iso-8859-1").notes == ()
    assert decoded(TEXTS["pl"][0].encode("cp1250"), "latin1").notes == (
        "encoding guessed: cp1250 (latin1 is declared)",
    )


def test_lost_letters_and_a_guess_are_noted_on_the_document(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        "Name,Ort,Note\nZoë,Köln,\xffneu\n".encode().replace(b"\xc3\xbf", b"\xff")
    )
    parsed = parse_file(tmp_path / "a.csv")
    assert "Zoë" in parsed.text and "\ufffdneu" in parsed.text
    assert parsed.notes == ("letters that cannot be read, shown as \ufffd: 1",)
    (tmp_path / "b.csv").write_bytes("Nazwa,Uwagi,Cena\nŻółw,później,3 zł\n".encode("iso8859-2"))
    assert parse_file(tmp_path / "b.csv").notes == ("encoding guessed: iso8859-2",)


def test_a_turkish_capital_with_a_dot_is_turkish() -> None:
    text = "Ürün;Fiyat;Şehir\nÇay;12 lira;İzmir\nŞeker;9 lira;Muğla\n"
    assert decode(text.encode("cp1254")) == text
