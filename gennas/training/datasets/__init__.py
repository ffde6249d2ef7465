"""Named tasks; importing this package registers them."""

from gennas.training.datasets.digits import digits
from gennas.training.datasets.planetoid import citeseer, cora, pubmed
from gennas.training.datasets.vision import cifar10, cifar100, fashion_mnist, mnist

__all__ = ["cifar10", "cifar100", "citeseer", "cora", "digits", "fashion_mnist", "mnist", "pubmed"]
