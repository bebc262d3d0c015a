"""States that are never drawn: the network may give them mass, which the others share in proportion."""

from __future__ import annotations

from torch import Tensor, cat


def without(logits: Tensor, closed: int | None) -> Tensor:
    """Returns (n, K) logits without those of the closed state, if there is one."""
    return logits if closed is None else cat([logits[:, :closed], logits[:, closed + 1 :]], dim=1)


def among_all(codes: Tensor, closed: int | None) -> Tensor:
    """Returns the (n,) codes among all states of (n,) codes among the open ones."""
    return codes if closed is None else codes + (codes >= closed).to(codes.dtype)
