"""Any space together with settings of the training recipe."""

from gennas.spaces.joint.space import JointSpace

__all__ = ["JointSpace"]
