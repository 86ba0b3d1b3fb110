"""What this project raises when a person can mend it; catch `SemsegError` for all of it.

>>> from semseg import Segmenter, SemsegError
>>> try:
...     segment = Segmenter("missing.pth")
... except SemsegError as error:
...     print(error)  # what is wrong, what was expected, what to do
...     print(error.code)  # a name of the fault that stays when the words change, see docs/errors.md
no checkpoint missing.pth...
E-checkpoint...

Each kind comes as a ValueError (something is wrong) and as a FileNotFoundError (something is not there), so that code
that catches these goes on to work. A file that cannot be written is an OSError, too; failures of the network stay
OSErrors, and those of object storage are StorageErrors, too.

A message names an option as Python does, in backticks (`ema`); the programs print the flag (--ema) in its place, and
the code behind the message.
"""

from __future__ import annotations


class SemsegError(Exception):
    """Anything that a person can mend.

    Args:
        message: what is wrong, what was expected, what to do; one or two sentences.
        code: a stable name of the fault, such as `E-data-pairs`; default: that of the class.

    Example:
        >>> from semseg.errors import MissingDataError
        >>> error = MissingDataError("no image a.png", code="E-data-missing")
        >>> error.code
        'E-data-missing'
        >>> isinstance(error, FileNotFoundError)
        True
    """

    code = "E-other"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class DataError(SemsegError):
    """About images, masks, lists, or a dataset.yaml.

    Example:
        >>> from semseg import DataError
        >>> from semseg.datasets.dataset_file import read_dataset_file
        >>> try:
        ...     read_dataset_file("missing.yaml")
        ... except DataError as error:
        ...     print(error)
        no dataset file missing.yaml
    """

    code = "E-data"


class InvalidDataError(DataError, ValueError):
    """They hold what cannot be right, or be read."""


class MissingDataError(DataError, FileNotFoundError):
    """They are not there."""


class ConfigError(SemsegError):
    """About a config, or what is asked of a run.

    Example:
        >>> from semseg import ConfigError
        >>> from semseg.config import load_config
        >>> try:
        ...     load_config("pspnet_r18-d8_1xb4-1000_toycity-128x256", ["model.backbon=None"])
        ... except ConfigError as error:
        ...     print("did you mean 'backbone'" in str(error))
        True
    """

    code = "E-config"


class InvalidConfigError(ConfigError, ValueError):
    """It has keys or values that cannot be."""


class MissingConfigError(ConfigError, FileNotFoundError):
    """It, or what it names, is not there."""


class UsedFolderError(ConfigError, FileExistsError):
    """The folder of a run holds another run."""


class CheckpointError(SemsegError):
    """About a file of weights.

    Example:
        >>> from semseg import CheckpointError, Segmenter
        >>> try:
        ...     Segmenter("missing.pth")
        ... except CheckpointError as error:
        ...     print(error)
        no checkpoint missing.pth...
    """

    code = "E-checkpoint"


class InvalidCheckpointError(CheckpointError, ValueError):
    """It is damaged, carries code, or is of another model."""


class MissingCheckpointError(CheckpointError, FileNotFoundError):
    """It is not there."""


class InputError(SemsegError):
    """About an argument of a program or a function.

    Example:
        >>> from semseg import InputError, Segmenter
        >>> try:
        ...     Segmenter("best.pth")("missing.jpg")
        ... except InputError as error:
        ...     print(error)
        no image or folder missing.jpg
    """

    code = "E-input"


class DiskError(SemsegError, OSError):
    """A file cannot be written: the disk is full, or it fails.

    Attributes:
        filename: the file.
        errno, strerror: of the system's error; None if they are not known.

    Example:
        >>> from semseg import DiskError
        >>> issubclass(DiskError, OSError)  # code that catches an OSError catches it, too
        True
    """

    code = "E-disk"
    _OF_SYSTEM = ("errno", "strerror", "filename")

    def __reduce__(self) -> tuple:
        """Keep the attributes on the way from a worker process."""
        return type(self), self.args, self.__dict__ | {name: getattr(self, name) for name in self._OF_SYSTEM}

    def __str__(self) -> str:
        """Return the message; that of an OSError would begin with the number of the error."""
        return str(self.args[0])


class InvalidInputError(InputError, ValueError):
    """It is out of range, or has no effect."""


class MissingInputError(InputError, FileNotFoundError):
    """It names what is not there."""


class StorageError(SemsegError):
    """About an address such as `s3://bucket/photos`, or what is behind it.

    Example:
        >>> from semseg import SemsegError
        >>> from semseg.system.objects.addresses import parse_address
        >>> try:
        ...     parse_address("s3:///photos")
        ... except SemsegError as error:
        ...     print(error.code)
        E-storage-address
    """

    code = "E-storage"


class InvalidStorageError(StorageError, ValueError):
    """The address cannot be used."""


class MissingStorageError(StorageError, FileNotFoundError):
    """There is no such bucket or object."""


class RefusedStorageError(StorageError, PermissionError):
    """The storage does not accept the credentials, or they do not allow this."""


class UnavailableStorageError(StorageError, OSError):
    """The storage could not be reached, or went on to fail."""
