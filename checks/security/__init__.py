"""The table of ``make security``: who reads what, what files show of a person, libraries, licences, secrets."""
