"""Rules of this project that no ready tool knows, and figures of its tree; `make check` runs the rules."""
