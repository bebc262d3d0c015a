"""Independent random streams from one seed; no global random state is touched."""

from __future__ import annotations

import numpy as np
import torch


def fresh_seed() -> int:
    """Returns a seed from the operating system's entropy."""
    return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])


def derived_seed(seed: int, *path: int) -> int:
    """Returns the seed of the stream ``path`` below ``seed``, in 0 .. 2**63 - 1."""
    words = [seed % 2**64, *path]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) >> 1


def numpy_rng(seed: int, *path: int) -> np.random.Generator:
    """Returns a numpy generator of the stream ``path`` below ``seed``."""
    return np.random.default_rng(derived_seed(seed, *path))


def torch_rng(device: torch.device, seed: int, *path: int) -> torch.Generator:
    """Returns a torch generator on ``device`` of the stream ``path`` below ``seed``."""
    return torch.Generator(device=device).manual_seed(derived_seed(seed, *path))
