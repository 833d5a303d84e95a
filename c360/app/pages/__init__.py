"""The pages: each module has ``routes``, and is one place of work."""
