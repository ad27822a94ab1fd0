"""Layers that PyTorch has not: imported only where a network is built."""

from __future__ import annotations

import torch


class ChannelsFirst(torch.nn.Module):
    """Pictures as tables hold them, rows x height x width [x colours], as convolutions take them."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return rows x colours x height x width."""
        pictures = X[:, None] if X.ndim == 3 else X.permute(0, 3, 1, 2)
        return pictures.contiguous(memory_format=torch.channels_last)  # convolutions are twice as fast on it
