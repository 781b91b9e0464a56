"""E-mail messages.

Enters: eml, and Outlook's msg. Leaves: the header lines people read, the body (plain
text if there is one, else its HTML), text attachments.
"""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

from backends.datatypes import ParsedFile, UserError
from backends.documents.parsers.common import clean, iso_date, one_line, stem
from backends.documents.parsers.encodings import decode
from backends.documents.parsers.plain_text import unwrap

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    if name.lower().endswith(".msg"):
        return _outlook(path, name)
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # a whole message stored as UTF-16
        data = decode(data).encode("utf-8")
    message = email.message_from_bytes(data, policy=email.policy.default)
    if not data.strip():
        raise UserError(f"{name} holds nothing but white space.")
    if message.get_content_type() in ("multipart/encrypted", "application/pkcs7-mime"):
        raise UserError(f"{name} is encrypted; its text cannot be read.")
    body = _body(message)
    if "-----BEGIN PGP MESSAGE-----" in body:
        raise UserError(f"{name} is encrypted with PGP; its text cannot be read.")
    subject = _header(message, "Subject")
    headers = [f"{label}: {value}" for label in _HEADERS if (value := _header(message, label))]
    attachments = [text for part in message.iter_attachments() if (text := _attachment(part))]
    if not body.strip() and not attachments and not headers:
        raise UserError(f"{name} holds no message.")
    text = clean("\n\n".join(["\n".join(headers), body, *attachments]))
    return ParsedFile(text, subject or stem(name), kind, date=iso_date(_header(message, "Date")))


def _header(message: EmailMessage, label: str) -> str:
    try:
        return one_line(message.get(label) or "")
    except (ValueError, IndexError, AttributeError):  # the standard parser trips over some malformed headers
        raw = next((value for key, value in message.raw_items() if key.lower() == label.lower()), "")
        return one_line(raw)


def _body(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return "" if message.is_multipart() else _content(message)
    text = _content(part)
    if part.get_content_type() == "text/html":
        return _html(text)
    if not text.strip() and (other := message.get_body(preferencelist=("html",))) is not None:
        return _html(_content(other))
    return unwrap(text)


def _html(text: str) -> str:
    from backends.documents.parsers.web import html_to_parsed

    return html_to_parsed(text, "").text


def _content(part: Message) -> str:
    """Decoded by its declared charset, or by what its bytes look like."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return str(part.get_payload())
    return decode(data, part.get_content_charset() or "")


def _attachment(part: Message) -> str:
    """Plain text in a file that came with the message; other files are named only."""
    name = part.get_filename() or "attachment"
    if part.get_content_type() == "text/plain":
        return f"Attachment {name}:\n\n{unwrap(_content(part))}"
    return f"Attachment: {name}" if part.get_filename() else ""


# --- Outlook ---------------------------------------------------------------------------------------

# Properties by their numbers in [MS-OXPROPS]: each is a stream of its own in the message's file.
_SUBJECT, _BODY, _HTML, _TRANSPORT = "0037", "1000", "1013", "007D"
_PEOPLE = {"From": ("0C1A", "5D01"), "To": ("0E04", ""), "Cc": ("0E03", "")}
_FILE_NAME, _FILE_DATA = ("3707", "3704"), "3701"


def _outlook(path: Path, name: str) -> ParsedFile:
    import olefile

    with olefile.OleFileIO(str(path)) as container:
        if not container.exists("__properties_version1.0"):
            raise UserError(f"{name} is not an Outlook message.")
        subject = _property(container, _SUBJECT)
        headers = [
            f"{label}: {' '.join(filter(None, (who, f'<{mail}>' if '@' in mail else '')))}"
            for label, (shown, address) in _PEOPLE.items()
            if (who := _property(container, shown)) is not None
            for mail in [_property(container, address) if address else ""]
            if who or mail
        ]
        date = re.search(r"^Date: *(.+)$", _property(container, _TRANSPORT), re.M)
        headers += [f"Date: {one_line(date.group(1))}"] if date else []
        headers += [f"Subject: {one_line(subject)}"] if subject else []
        body = unwrap(_property(container, _BODY))
        if not body.strip():
            body = _html(_property(container, _HTML))
        folders = sorted({each[0] for each in container.listdir() if each[0].startswith("__attach")})
        attachments = [_outlook_attachment(container, folder) for folder in folders]
    sealed = not body.strip() and any(each.endswith((".asc", ".p7m", ".pgp", ".gpg")) for each in attachments)
    if sealed or "-----BEGIN PGP MESSAGE-----" in body:
        raise UserError(f"{name} is encrypted; its text cannot be read.")
    if not body.strip() and not attachments:
        raise UserError(f"{name} holds no text that can be read (its body may be kept as rich text only).")
    text = clean("\n\n".join(["\n".join(headers), body, *filter(None, attachments)]))
    day = iso_date(date.group(1)) if date else ""
    return ParsedFile(text, one_line(subject) or stem(name), "email", date=day)


def _property(container: Any, number: str, folder: str = "") -> str:
    """A text property of the message or of one of its parts; "" where it has none."""
    for kind, encoding in (("001F", "utf-16-le"), ("001E", ""), ("0102", "")):
        stream = [*([folder] if folder else []), f"__substg1.0_{number}{kind}"]
        if container.exists(stream):
            data = container.openstream(stream).read()
            return data.decode(encoding, errors="replace") if encoding else decode(data)
    return ""


def _outlook_attachment(container: Any, folder: str) -> str:
    named = next((each for number in _FILE_NAME if (each := _property(container, number, folder))), "")
    label = one_line(named) or "attachment"
    if label.lower().endswith((".txt", ".md", ".csv", ".log")):
        return f"Attachment {label}:\n\n{unwrap(_property(container, _FILE_DATA, folder))}"
    return f"Attachment: {label}"
