"""One parser a family of formats."""
