"""Blind listening tests: what is asked, of which clips, what was answered, and what follows from it."""
