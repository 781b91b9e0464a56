"""Who may do what: people who signed in, tokens of the command line, and the audit log."""
