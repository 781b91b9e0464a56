"""From text to evidence: passages, vectors, indexes, ranking."""
