"""From a file to text, with versions and roles."""
