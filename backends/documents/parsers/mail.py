"""E-mail messages, and the files that came with them.

Enters: eml, and Outlook's msg. Leaves: the header lines people read and the body, its text unless its HTML
says much more; attachments, messages among them, as files that are still to be read.
"""

from __future__ import annotations

import email
import email.policy
import mimetypes
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from pathlib import Path, PurePosixPath

from backends.datatypes import Attachment, ParsedFile, UserError
from backends.documents import limits
from backends.documents.parsers.common import clean, iso_date, one_line, stem
from backends.documents.parsers.plain_text import unwrap
from backends.documents.parsing import SUPPORTED
from backends.system.encodings import decode

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_SIGNATURES = (".p7s", ".p7m", ".asc", ".sig", ".pgp", ".gpg")
_MOST_NOTES = 20  # names of attachments that are not read
_STUB = 0.5  # plain text with a smaller share of its HTML's words only says that there is HTML
_FEW = 4  # words by which the two may differ in any case


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    """The file as a `ParsedFile`. UserError when it cannot be read."""
    if name.lower().endswith(".msg"):
        from backends.documents.parsers.outlook import read_message

        return message_to_parsed(read_message(path, name), name, kind)
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # a whole message stored as UTF-16
        data = decode(data).encode("utf-8")
    if not data.strip():
        raise UserError(f"{name} holds nothing but white space.")
    return message_to_parsed(email.message_from_bytes(data, policy=email.policy.default), name, kind)


def message_to_parsed(message: EmailMessage, name: str, kind: str) -> ParsedFile:
    """UserError when the message is encrypted or holds nothing."""
    if message.get_content_type() in ("multipart/encrypted", "application/pkcs7-mime"):
        raise UserError(f"{name} is encrypted; its text cannot be read.")
    whole = _mended(message)
    parts = _Parts()
    bodies = _bodies(whole)
    parts.take(whole, bodies)
    text = "\n\n".join(filter(None, [_body(bodies), *parts.texts]))
    sealed = not text.strip() and any(each.lower().endswith(_SIGNATURES) for each in parts.named)
    if sealed or "-----BEGIN PGP MESSAGE-----" in text:
        raise UserError(f"{name} is encrypted with PGP; its text cannot be read.")
    headers = [f"{label}: {value}" for label in _HEADERS if (value := _header(message, label))]
    if not text.strip() and not parts.named and not headers:
        raise UserError(f"{name} holds no message.")
    attached = [f"Attachment: {each}" for each in parts.named]
    return ParsedFile(
        clean("\n\n".join(filter(None, ["\n".join(headers), text, "\n".join(attached)])), keep_spaces=True),
        _header(message, "Subject") or stem(name),
        kind,
        date=iso_date(_header(message, "Date")),
        notes=parts.notes,
        attachments=tuple(parts.attachments),
    )


def _mended(message: EmailMessage) -> EmailMessage:
    """The message with its parts, where what it says parts them is damaged: the first line of dashes does."""
    payload = message.get_payload()
    if message.get_content_maintype() != "multipart" or not isinstance(payload, str):
        return message
    found = re.search(r"^--(\S{1,70})\s*$", payload, re.M)
    if found is None:
        return message
    source = f'Content-Type: multipart/mixed; boundary="{found[1]}"\n\n{payload}'
    data = source.encode("utf-8", errors="surrogateescape")
    return email.message_from_bytes(data, policy=email.policy.default)


def _header(message: Message, label: str) -> str:
    raw = next((value for key, value in message.raw_items() if key.lower() == label.lower()), "")
    if any("\udc80" <= letter <= "\udcff" for letter in raw):  # bytes that nothing declares
        return one_line(decode(raw.encode("utf-8", errors="surrogateescape")))
    try:
        return one_line(message.get(label) or "")
    except (ValueError, IndexError, AttributeError):  # the standard parser trips over some malformed headers
        return one_line(raw)


# --- body ------------------------------------------------------------------------------------------


def _bodies(message: EmailMessage) -> dict[str, Message]:
    """The part that is the body as text and the one that is it as HTML, as far as there are."""
    found = {kind: message.get_body(preferencelist=(kind,)) for kind in ("plain", "html")}
    bodies: dict[str, Message] = {kind: part for kind, part in found.items() if part is not None}
    if len(bodies) == 2 and not any(_offers(part, bodies) for part in message.walk()):
        del bodies["html"]  # it goes on after the text instead of saying the same
    if not bodies and not message.is_multipart() and message.get_content_maintype() == "text":
        bodies["plain"] = message
    return bodies


def _offers(part: Message, bodies: dict[str, Message]) -> bool:
    """Whether a part holds both as alternatives."""
    within = {id(each) for each in part.walk()}
    both = all(id(body) in within for body in bodies.values())
    return both and part.get_content_type() == "multipart/alternative"


def _body(bodies: dict[str, Message]) -> str:
    """The text, unless it is empty or a stub in front of the HTML."""
    plain = _plain(bodies["plain"]) if "plain" in bodies else ""
    html = _html(_content(bodies["html"])) if "html" in bodies else ""
    if not html:
        return plain if re.search(r"\w", plain) else ""
    said, marked = ({*re.findall(r"\w+", text.lower())} for text in (plain, html))
    stub = len(said & marked) < _STUB * len(marked) and len(marked - said) > _FEW
    return html if stub or not said else plain


def _plain(part: Message) -> str:
    text = _content(part)
    if str(part.get_param("format", "")).lower() == "flowed":  # RFC 3676: a space at the end goes on
        text = re.sub(r"(?<=\S)(?<!\n--) \r?\n(?=[^>\r\n])", " ", text)  # "-- " is a signature's
    return unwrap(text)


def _html(source: str) -> str:
    from backends.documents.parsers.web import html_to_parsed

    return html_to_parsed(source, "").text if source.strip() else ""


def _content(part: Message) -> str:
    """Decoded by its declared charset, or by what its bytes look like."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return str(part.get_payload())
    return decode(data, part.get_content_charset() or "")


# --- what came with it -----------------------------------------------------------------------------


@dataclass
class _Parts:
    """The parts of a message besides its body."""

    texts: list[str] = field(default_factory=list)  # that belong to the body, though they are parts
    named: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    pictures: int = 0
    same: Counter[str] = field(default_factory=Counter)  # how many attachments have a name

    @property
    def notes(self) -> tuple[str, ...]:
        notes = [f"attachment not read: {each}" for each in self.unread[:_MOST_NOTES]]
        more = len(self.unread) - len(notes)
        notes += [f"more attachments not read ({more})"] if more else []
        notes += [f"pictures left out ({self.pictures})"] if self.pictures else []
        return tuple(notes)

    def take(self, message: Message, bodies: dict[str, Message]) -> None:
        body = {id(part) for part in bodies.values()}
        for part in _leaves(message):
            if id(part) not in body:
                self._take(part)

    def _take(self, part: Message) -> None:
        kind = part.get_content_type()
        named = part.get_filename() or part.get_content_disposition() == "attachment"
        if kind == "message/rfc822":
            for within in _parts(part):
                name = safe_name(_header(within, "Subject"))[:100] or "message"
                self._attach(f"{name}.eml", _as_file(within))
        elif part.get_content_maintype() == "image":
            self.pictures += 1
        elif not named and kind in ("text/plain", "text/html"):
            self.texts.append(_plain(part) if kind == "text/plain" else _html(_content(part)))
        elif named or kind.startswith("application/"):
            self._attach(_file_name(part), _bytes(part))
        else:
            self.unread.append(kind)

    def _attach(self, name: str, data: bytes) -> None:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in _SIGNATURES:
            self.named.append(name)
            return
        name = self._unlike_others(name)
        self.named.append(name)
        if suffix not in (*SUPPORTED, ".zip") or len(self.attachments) >= limits.MAX_ZIP_FILES:
            self.unread.append(name)
        else:
            self.attachments.append(Attachment(name, data))

    def _unlike_others(self, name: str) -> str:
        self.same[name.casefold()] += 1
        number, path = self.same[name.casefold()], PurePosixPath(name)
        return self._unlike_others(f"{path.stem} ({number}){path.suffix}") if number > 1 else name


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold something, in order; a message within is one."""
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        yield message
        return
    alternatives = message.get_content_type() == "multipart/alternative"
    for part in _parts(message):
        if not alternatives or part.is_multipart() or part.get_filename():
            yield from _leaves(part)


def _parts(message: Message) -> list[Message]:
    """The parts of a message of several, or the one within another."""
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _as_file(message: Message) -> bytes:
    """The message as it is stored; where its headers are too broken for that, as text."""
    try:
        return message.as_bytes()
    except (UnicodeError, LookupError, ValueError, TypeError, AttributeError):
        parts = (str(part.get_payload()) for part in message.walk() if not part.is_multipart())
        head = "".join(f"{label}: {_header(message, label)}\n" for label in _HEADERS)
        return "\n\n".join([head.rstrip(), *parts]).encode("utf-8", errors="replace")


def _bytes(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    if isinstance(data, bytes):
        return data
    return str(part.get_payload()).encode("utf-8", errors="replace")


def _file_name(part: Message) -> str:
    """A name without folders; one after its type where it has none that tells what it is."""
    name = safe_name(part.get_filename() or "attachment")
    if PurePosixPath(name).suffix.lower() not in SUPPORTED:
        suffix = mimetypes.guess_extension(part.get_content_type()) or ""
        name += suffix if suffix in SUPPORTED and part.get_content_maintype() == "application" else ""
    return name


def safe_name(name: str) -> str:
    """An attachment's name without a path and without odd characters."""
    return re.sub(r"[^\w .,()+&@'-]", "-", one_line(name).replace("\\", "/").rpartition("/")[2]).strip(" .")
