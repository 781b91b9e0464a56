"""E-mail messages.

Enters: eml (and msg, which is refused with a hint). Leaves: the header lines people read, the body (plain
text if there is one, else its HTML), text attachments.
"""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message
from pathlib import Path

from backends.corpus.parsers.common import clean, decode, one_line, stem
from backends.corpus.parsers.text import unwrap
from backends.datatypes import ParsedFile, UserError

_HEADERS = ("From", "To", "Cc", "Date", "Subject")


def parse(path: Path, kind: str, name: str) -> ParsedFile:
    if name.lower().endswith(".msg"):
        raise UserError(f"{name} is an Outlook message; save it as .eml to have it read.")
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
    return ParsedFile(text, subject or stem(name), kind)


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
    from backends.corpus.parsers.web import html_to_parsed

    return html_to_parsed(text, "").text


def _content(part: Message) -> str:
    """Decoded by its declared charset, or by what its bytes look like."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return str(part.get_payload())
    try:
        return data.decode(part.get_content_charset() or "utf-8")
    except (LookupError, UnicodeDecodeError):
        return decode(data)


def _attachment(part: Message) -> str:
    """Plain text in a file that came with the message; other files are named only."""
    name = part.get_filename() or "attachment"
    if part.get_content_type() == "text/plain":
        return f"Attachment {name}:\n\n{unwrap(_content(part))}"
    return f"Attachment: {name}" if part.get_filename() else ""
