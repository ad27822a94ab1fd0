"""Networks of PyTorch as hypotheses: their architectures, how they are built, and how they are kept."""
