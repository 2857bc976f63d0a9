"""Two sets of pieces: in which measures they differ, and how far they lie apart."""

from cadenza.comparison.by_measure import (
    SIGNIFICANT,
    Difference,
    Estimate,
    differences,
    mean_of,
    measured,
    median_of,
)
from cadenza.comparison.frechet import Basis, Distance, basis_of, frechet_distance, squared_frechet
from cadenza.comparison.mgeval import FEATURES, Overlap, compared, overlap
from cadenza.comparison.published import published_distances
from cadenza.comparison.reading import points_of, surprise_of

__all__ = [
    "FEATURES",
    "SIGNIFICANT",
    "Basis",
    "Difference",
    "Distance",
    "Estimate",
    "Overlap",
    "basis_of",
    "compared",
    "differences",
    "frechet_distance",
    "mean_of",
    "measured",
    "median_of",
    "overlap",
    "points_of",
    "published_distances",
    "squared_frechet",
    "surprise_of",
]
