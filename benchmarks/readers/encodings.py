"""How often an undeclared encoding is found: `python -m benchmarks.readers.encodings`.

Texts of `languages` in every encoding they come in, in seven shapes: prose, long prose, a sentence, tables, a
log with a few names among English words, names among figures. chardet and charset-normalizer stand beside,
where they are installed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

from backends.system.encodings import decode
from benchmarks.readers.languages import ENCODINGS, PROSE, ROWS


def shapes(language: str) -> Iterator[tuple[str, str]]:
    prose, rows = PROSE[language], [row.split(", ") for row in ROWS[language].split(" | ")]
    names = [word for row in rows[1:] for word in row]
    yield "prose", prose
    yield "long prose", " ".join([prose] * 8)
    yield "sentence", prose.replace("。", ".|").replace(". ", ".|").split("|")[0]
    yield "table", "".join(",".join(row) + "\n" for row in rows)
    yield "small table", "".join(";".join(row) + "\n" for row in rows[:3])
    yield "log", "".join(f"2024-05-02 10:11 INFO user {name} logged in\n" for name in names[:6])
    yield "names", "Name,Qty,Price\n" + "".join(f"{name},3,2.50\n" for name in names[:4])


def cases() -> Iterator[tuple[str, str, bytes]]:
    """(shape, text, bytes) of whatever is not the same in ASCII."""
    for language, encodings in ENCODINGS.items():
        for encoding in encodings.split():
            for shape, text in shapes(language):
                data = text.encode(encoding, errors="ignore")
                if not data.isascii() or encoding.startswith("iso2022"):
                    yield shape, data.decode(encoding), data


def readers() -> Iterator[tuple[str, Callable[[bytes], str]]]:
    yield "Triptych", decode
    import chardet

    yield "chardet", lambda data: data.decode(chardet.detect(data)["encoding"] or "cp1252", errors="replace")
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        print("charset-normalizer is not installed")
    else:
        western = ("cp1252", "replace")
        yield "charset-normalizer", lambda data: str(from_bytes(data).best() or data.decode(*western))


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def main() -> None:
    tried = list(cases())
    total = Counter(shape for shape, _, _ in tried)
    print(f"| reader | all | {' | '.join(total)} | ms a file |")
    print("|---" * (len(total) + 3) + "|")
    for name, read in readers():
        began = time.process_time()
        right = Counter(shape for shape, text, data in tried if letters(read(data)) == letters(text))
        spent = 1000 * (time.process_time() - began) / len(tried)
        shares = " | ".join(f"{right[shape]} of {count}" for shape, count in total.items())
        print(f"| {name} | {right.total()} of {len(tried)} | {shares} | {spent:.1f} |")


if __name__ == "__main__":
    main()
