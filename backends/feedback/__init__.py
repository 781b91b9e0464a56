"""What visitors say and ask: votes, the log of questions."""
