"""Files as a visitor might bring them: eleven of eight formats about a harbour, and a table of lamps."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path

import docx
from reportlab.pdfgen import canvas


def written(folder: Path) -> list[Path]:
    """The files, in this folder."""
    _pdf(folder / "ferry-timetable.pdf", "The summer timetable of the island ferry.",
         "The last ferry leaves the harbour at 21:40 on weekdays.")  # fmt: skip
    _pdf(
        folder / "safety-rules.pdf", "Rules for the quay.", "Life jackets are worn by everybody on the quay."
    )
    _docx(folder / "island-rules.docx", "Campfires are allowed only on the northern beach.")
    _docx(folder / "berth-contract.docx", "The deposit for a winter berth is 350 euros.")
    texts = {
        "fees.csv": "Berth,Fee per night,Length\nNorth quay,24 EUR,9 m\nSouth quay,31 EUR,12 m\n",
        "opening-hours.html": "<h1>Office</h1><p>The harbour office opens at 07:30 on working days.</p>",
        "returns.md": "# Hire\n\nA hired kayak is brought back before 18:00.\n",
        "notes-of-the-meeting.md": "# Meeting\n\nThe new crane is delivered on 4 May 2027.\n",
        "lighthouse.txt": "The lighthouse is 38 metres high and was built in 1911.\n",
        "boats.json": json.dumps([{"boat": "Heron", "seats": 6}, {"boat": "Seagull", "seats": 4}]),
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    _mail(folder / "fuel-price.eml", "Diesel at the pier costs 1.85 euros a litre from Monday on.")
    return sorted(folder.iterdir())


def lamps(folder: Path) -> Path:
    """A table of twelve lamps: enough for the rows that a training needs."""
    names = ["Alder", "Ash", "Birch", "Cedar", "Elm", "Fir", "Larch", "Maple", "Oak", "Pine", "Rowan", "Yew"]
    lines = [
        f"Lamp {name},{n * 7} EUR,{n * 90} grams,{n * 12} cm,{n * 150} lumen"
        for n, name in enumerate(names, start=3)
    ]
    file = folder / "lamps.csv"
    file.write_text("\n".join(["Product,Price,Weight,Height,Output", *lines]), encoding="utf-8")
    return file


def _pdf(path: Path, *pages: str) -> None:
    made = canvas.Canvas(str(path))
    for text in pages:
        made.drawString(72, 700, text)
        made.showPage()
    made.save()


def _docx(path: Path, text: str) -> None:
    document = docx.Document()
    document.add_paragraph(text)
    document.save(str(path))


def _mail(path: Path, text: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "pier@harbour.example", "all@harbour.example", "Fuel"
    mail.set_content(text)
    path.write_bytes(mail.as_bytes())
