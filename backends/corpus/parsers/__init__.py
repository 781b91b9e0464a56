"""One module per family of files; each has `parse(path, kind, name) -> ParsedFile`."""
