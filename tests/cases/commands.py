"""What both modules of cases share: the commands, as a person gives them, in the folder of the test."""

from pathlib import Path

from typer.testing import CliRunner

from c360.cli.main import app

CASES = Path(__file__).parent


def run(*words: object, code: int = 0) -> str:
    """Everything that ``c360 WORDS`` prints; it ends with the exit code, and with no traceback."""
    shown = CliRunner().invoke(app, [str(word) for word in words])
    assert shown.exit_code == code, shown.output
    assert "Traceback" not in shown.output and "np." not in shown.output
    return shown.output
