"""Where the published image sets are to be had, with the hashes of their files.

MNIST: Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits
(1998). Fashion-MNIST: H. Xiao, K. Rasul and R. Vollgraf, arXiv:1708.07747 (2017), with
the hashes of its README. CIFAR: A. Krizhevsky, Learning Multiple Layers of Features from
Tiny Images (2009), with the hashes of its page.
"""

from ibcore.tasks.downloads import RemoteFile, Source


def _files(homes: tuple[str, ...], *rows: tuple[str, int, str]) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(name, tuple(home + name for home in homes), size, known_hash)
        for name, size, known_hash in rows
    )


_MNIST = _files(
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    (
        "train-images-idx3-ubyte.gz",
        9_912_422,
        "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        28_881,
        "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        1_648_877,
        "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        4_542,
        "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)
_FASHION_MNIST = _files(
    (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    ("train-images-idx3-ubyte.gz", 26_421_880, "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    ("train-labels-idx1-ubyte.gz", 29_515, "md5:25c81989df183df01b3e8a0aad5dffbe"),
    ("t10k-images-idx3-ubyte.gz", 4_422_102, "md5:bef4ecab320f06d8554ea6380940ec79"),
    ("t10k-labels-idx1-ubyte.gz", 5_148, "md5:bb300cfdad3c16e7a12a480ee83cd310"),
)
_CIFAR_HOME = ("https://www.cs.toronto.edu/~kriz/",)
_CIFAR10 = _files(
    _CIFAR_HOME,
    ("cifar-10-binary.tar.gz", 170_052_171, "md5:c32a1d4ab5d03f1284b67883e8d87530"),
)
_CIFAR100 = _files(
    _CIFAR_HOME,
    ("cifar-100-binary.tar.gz", 168_513_733, "md5:03b5dce01913d631647c71ecec9e9cb8"),
)

SOURCES = {
    "mnist": Source("mnist", _MNIST),
    "fashion_mnist": Source("fashion_mnist", _FASHION_MNIST),
    "cifar10": Source("cifar10", _CIFAR10),
    "cifar100": Source("cifar100", _CIFAR100),
}
