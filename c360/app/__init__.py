"""The workbench: pages for people who act, over one publish, in the process of the read API.

It reads published tables and writes two things: events into the journal of the lake, and deliveries into the landing
folder. Each module of ``pages`` is one place of work.
"""
