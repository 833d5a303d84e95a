"""The read API: what is published, one customer or one page at a time, for CRM, call centre and app.

It answers from the tables of one publish, which it holds in memory; a new publish replaces them as a whole. It writes
nothing but the list of its tokens.
"""
