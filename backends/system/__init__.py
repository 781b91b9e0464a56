"""The machine, background jobs, files, the wording of figures."""
