"""Backups of lake, store and landing folder, and their restore; see docs/PRIVACY.md."""
