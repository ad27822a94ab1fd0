"""Hypotheses that are networks: named architectures and any PyTorch module, as functions of a design's columns."""
