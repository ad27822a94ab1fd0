"""The result of a fit.

Takes everything below. Gives ``fitted.FittedModel``, a record (``record``) of a fitted hypothesis (``hypothesis``; its
kinds are in ``hypotheses``) that predicts and is tested; its file (``serialise``), predictions of tables read part by
part (``streaming``) and their ``cautions``. Reports and pictures are made above.
"""
