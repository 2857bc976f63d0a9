"""Ways of writing a Score down as numbers. Each module is one; `base` says what they share."""
