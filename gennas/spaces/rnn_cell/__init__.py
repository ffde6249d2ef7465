"""Recurrent cells of ENAS and of DARTS."""

from gennas.spaces.rnn_cell.space import RNNCell

__all__ = ["RNNCell"]
