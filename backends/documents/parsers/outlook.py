"""Outlook's messages as messages of the standard library, which `mail` reads like any other.

Enters: msg, an OLE container. Leaves: an `EmailMessage` with header, body as text and as HTML, attachments
and messages within. Properties go by their numbers in [MS-OXPROPS]: each is a stream of its own, or has a
fixed place in the stream of properties ([MS-OXMSG]).
"""

from __future__ import annotations

import datetime
import email
import email.policy
import email.utils
import re
import struct
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

from backends.datatypes import UserError
from backends.documents.parsers.common import one_line
from backends.system.encodings import decode

if TYPE_CHECKING:
    from olefile import OleFileIO

_SUBJECT, _BODY, _HTML, _RTF, _TRANSPORT = "0037", "1000", "1013", "1009", "007D"
_PEOPLE = {"From": ("0C1A", "5D01"), "To": ("0E04", ""), "Cc": ("0E03", "")}
_FILE_NAME, _FILE_DATA, _FILE_TYPE = ("3707", "3704", "3001"), "3701", "370E"
_SUBMITTED, _DELIVERED, _CODE_PAGE, _HTML_CODE_PAGE = 0x0039, 0x0E06, 0x3FFD, 0x3FDE
_DEPTH = 5  # messages within messages
_Place = tuple[str, ...]  # folders of the container


def read_message(path: Path, name: str) -> EmailMessage:
    """UserError when the file is no Outlook message."""
    import olefile

    with olefile.OleFileIO(str(path)) as container:
        if not container.exists("__properties_version1.0"):
            raise UserError(f"{name} is not an Outlook message.")
        return _Store(container).message((), _DEPTH)


class _Store:
    """The properties of an open msg file."""

    def __init__(self, container: OleFileIO) -> None:
        self._container = container
        self._places = [tuple(each) for each in container.listdir(streams=True, storages=True)]

    def message(self, place: _Place, depth: int) -> EmailMessage:
        message = EmailMessage(email.policy.default)
        for label, value in self._headers(place).items():
            if value:
                message[label] = value
        plain, html = self._text(place, _BODY), self._html(place)
        if not plain.strip() and not html.strip():
            plain = self._rich(place)
        message.set_content(plain)
        if html.strip():
            message.add_alternative(html, subtype="html")
        for folder in sorted(each for each in self._places if each[:-1] == place and _is_attachment(each)):
            self._attach(message, folder, depth)
        return message

    def _headers(self, place: _Place) -> dict[str, str]:
        found = {}
        for label, (shown, address) in _PEOPLE.items():
            who, mail = one_line(self._text(place, shown)), one_line(self._text(place, address))
            found[label] = " ".join(filter(None, (who, f"<{mail}>" if "@" in mail else "")))
        found["Date"] = self._date(place)
        found["Subject"] = one_line(self._text(place, _SUBJECT))
        return found

    def _date(self, place: _Place) -> str:
        """As the way it came by says it, else when it was sent or delivered (100 ns since 1601)."""
        sent = re.search(r"^Date: *(.+)$", self._text(place, _TRANSPORT), re.M)
        if sent:
            return one_line(sent[1])
        ticks = self._fixed(place, _SUBMITTED, "<Q") or self._fixed(place, _DELIVERED, "<Q")
        if not 0 < ticks < 2**61:
            return ""
        moment = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
            microseconds=ticks // 10
        )
        return email.utils.format_datetime(moment)

    def _html(self, place: _Place) -> str:
        data = self._bytes(place, _HTML)
        page = self._fixed(place, _HTML_CODE_PAGE, "<I")
        return decode(data, f"cp{page}" if page else "") if data else self._text(place, _HTML)

    def _rich(self, place: _Place) -> str:
        """The text of a body that is kept as compressed RTF only."""
        data = self._bytes(place, _RTF)
        if not data:
            return ""
        import compressed_rtf

        from backends.documents.parsers.rtf import rtf_text

        return rtf_text(compressed_rtf.decompress(data))

    def _attach(self, message: EmailMessage, folder: _Place, depth: int) -> None:
        within = (*folder, f"__substg1.0_{_FILE_DATA}000D")
        if within in self._places:
            if depth:
                message.add_attachment(self.message(within, depth - 1))
            return
        named = next((each for number in _FILE_NAME if (each := self._text(folder, number))), "")
        main, _, sub = self._text(folder, _FILE_TYPE).partition("/")
        known = main.isalpha() and re.fullmatch(r"[\w.+-]+", sub) and main not in ("multipart", "message")
        message.add_attachment(
            self._bytes(folder, _FILE_DATA),
            maintype=main if known else "application",
            subtype=sub if known else "octet-stream",
            filename=one_line(named) or "attachment",
        )

    def _text(self, place: _Place, number: str) -> str:
        """A text property of the message or of one of its parts; "" where it has none."""
        if not number:
            return ""
        if wide := self._stream(place, f"{number}001F"):
            return wide.decode("utf-16-le", errors="replace")
        page = self._fixed(place, _CODE_PAGE, "<I")
        return decode(self._stream(place, f"{number}001E"), f"cp{page}" if page else "")

    def _bytes(self, place: _Place, number: str) -> bytes:
        return self._stream(place, f"{number}0102")

    def _stream(self, place: _Place, tag: str) -> bytes:
        path = [*place, f"__substg1.0_{tag}"]
        return bytes(self._container.openstream(path).read()) if self._container.exists(path) else b""

    def _fixed(self, place: _Place, number: int, form: str) -> int:
        """A number among the properties of a message, 0 where there is none."""
        path = [*place, "__properties_version1.0"]
        data = self._container.openstream(path).read() if self._container.exists(path) else b""
        start = 24 if place else 32  # a header that messages within have shorter
        for at in range(start, len(data) - 15, 16):
            if struct.unpack_from("<H", data, at + 2)[0] == number:
                return int(struct.unpack_from(form, data, at + 8)[0])
        return 0


def _is_attachment(place: _Place) -> bool:
    return place[-1].startswith("__attach")
