"""From a question to its answer record: evidence, citations, the stopwatch."""
