"""CTGAN: a conditional GAN of one table. ``trainer`` holds the loop of the paper, ``networks`` its two networks."""

from synthohive_spark.models.ctgan.model import CTGAN

__all__ = ["CTGAN"]
