"""Spaces of inverted bottlenecks: Once-for-all, ProxylessNAS, FBNet."""

from gennas.spaces.mobilenet.base import MobileSpace
from gennas.spaces.mobilenet.fbnet import FBNet
from gennas.spaces.mobilenet.ofa import OFA
from gennas.spaces.mobilenet.proxyless import ProxylessNAS

__all__ = ["OFA", "FBNet", "MobileSpace", "ProxylessNAS"]
