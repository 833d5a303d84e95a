"""``python -m c360``: the console command without an installation."""

from c360.cli.main import app

app()
