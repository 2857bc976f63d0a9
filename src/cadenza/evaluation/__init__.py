"""Comparing sets of pieces: what models write, what lies in folders, and what people wrote."""
