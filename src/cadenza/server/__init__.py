"""The studio's server: a small HTTP API around `compose`, and the pages of the studio."""
