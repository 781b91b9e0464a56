"""`python -m backends` is `triptych`."""

from backends.cli.main import app

if __name__ == "__main__":
    app(prog_name="triptych")
