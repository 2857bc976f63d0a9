"""The generator: draws notes from a model without torch."""
