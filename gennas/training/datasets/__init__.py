"""Named tasks; importing this package registers them."""

from gennas.training.datasets.digits import digit_halves, digit_slant, digits
from gennas.training.datasets.language import stdlib, text_file
from gennas.training.datasets.motifs import motifs
from gennas.training.datasets.own_images import image_folder, npz
from gennas.training.datasets.planetoid import citeseer, cora, pubmed
from gennas.training.datasets.segmentation import cityscapes, voc
from gennas.training.datasets.shapes import shapes
from gennas.training.datasets.tagging import conll, python_tokens
from gennas.training.datasets.texts import stdlib_packages, text_csv
from gennas.training.datasets.tu import tu
from gennas.training.datasets.vision import cifar10, cifar100, fashion_mnist, mnist

__all__ = [
    "cifar10",
    "cifar100",
    "citeseer",
    "cityscapes",
    "conll",
    "cora",
    "digit_halves",
    "digit_slant",
    "digits",
    "fashion_mnist",
    "image_folder",
    "mnist",
    "motifs",
    "npz",
    "pubmed",
    "python_tokens",
    "shapes",
    "stdlib",
    "stdlib_packages",
    "text_csv",
    "text_file",
    "tu",
    "voc",
]
