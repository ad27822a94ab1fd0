"""What a fit leaves behind.

Takes everything below. Gives ``fitted.FittedModel``, which tells its equation, predicts and is tested; the file that
keeps it (``serialise``), predictions of tables read part by part (``streaming``) and their ``cautions``. It knows
nothing of pictures or of how it is told.
"""
