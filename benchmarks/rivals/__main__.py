"""``python -m benchmarks.rivals``."""

from benchmarks.rivals.command import app

if __name__ == "__main__":
    app()
