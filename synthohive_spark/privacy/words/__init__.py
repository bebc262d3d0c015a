"""Texts that nothing explains: what enough people share of them is learnt, and texts of that kind are written."""
