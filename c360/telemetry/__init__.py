"""What an installation tells those who watch it: logs that a program reads, and metrics by OpenTelemetry."""
