"""Say what a storage refused. Nothing is quoted from its answer but its code: the rest may hold keys and signatures."""

from __future__ import annotations

import re

from semseg.errors import (
    InvalidStorageError,
    MissingStorageError,
    RefusedStorageError,
    StorageError,
    UnavailableStorageError,
)
from semseg.system.objects.addresses import Address

NO_CREDENTIALS = "semseg found no credentials"
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")
_NOT_VALID = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure", "InvalidClientTokenId")
_OTHER_REGION = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")


def as_storage_error(error: Exception, address: Address) -> StorageError:
    """Return the error of a program for one of obstore.

    Args:
        error: of obstore, or a built-in one that it raises.
        address: what was read, listed or written.
    """
    text = str(error)
    code = _first(r"<Code>(\w+)</Code>", text)
    status = _first(r"status code: (\d{3})", text)
    bucket = f"{address.scheme}://{address.bucket}"
    if isinstance(error, StorageError):
        return error
    if NO_CREDENTIALS in text or "169.254." in text or "metadata.google.internal" in text:
        return no_credentials(address.bucket, scheme=address.scheme)
    if code in _EXPIRED:
        return RefusedStorageError(
            f"the credentials for {bucket} have expired ({code}); log in again, or set new ones, and repeat it",
            code="E-storage-credentials",
        )
    if code in _NOT_VALID or status == "401":
        return RefusedStorageError(
            f"{bucket} does not accept the credentials ({code or status}); set valid ones for it",
            code="E-storage-credentials",
        )
    if code == "NoSuchBucket":
        return MissingStorageError(f"no bucket {bucket}; check the name and the account", code="E-storage-no-bucket")
    if isinstance(error, FileNotFoundError) or status == "404" or code == "NoSuchKey":
        return MissingStorageError(f"no object {address}", code="E-storage-missing")
    if status == "403" or type(error).__name__ == "PermissionDeniedError":
        return RefusedStorageError(
            f"no permission for {address}{f' ({code})' if code else ''}; the credentials do not allow it, or the"
            " address has expired",
            code="E-storage-permission",
        )
    if code in _OTHER_REGION or status == "301" or "incorrectly configured region" in text:
        return InvalidStorageError(
            f"{bucket} is in another region; set AWS_REGION to that of the bucket", code="E-storage-region"
        )
    return _other_error(error, text, code, status, address)


def no_credentials(bucket: str, reason: str = "", scheme: str = "s3") -> RefusedStorageError:
    """Return the error for a bucket that nobody has given credentials for."""
    how = (
        "set GOOGLE_APPLICATION_CREDENTIALS, or log in with gcloud"
        if scheme == "gs"
        else "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE after a login; for a public bucket set"
        " AWS_SKIP_SIGNATURE=true"
    )
    because = f" ({reason})" if reason and reason != PermissionError.__name__ else ""
    return RefusedStorageError(f"no credentials for {scheme}://{bucket}{because}; {how}", code="E-storage-credentials")


def _other_error(error: Exception, text: str, code: str, status: str, address: Address) -> StorageError:
    if "dns error" in text or "ConnectError" in text or "kind: Connect" in text:
        host = _first(r"https?://([^/\s?,@]+)", text) or address.bucket
        return UnavailableStorageError(
            f"{address}: the host {host} cannot be reached; check the network and the endpoint (AWS_ENDPOINT_URL)",
            code="E-storage-unreachable",
        )
    if status.startswith("5") or status == "429":
        return UnavailableStorageError(
            f"{address}: the storage went on to answer {status}{f' ({code})' if code else ''}; try again later",
            code="E-storage-unavailable",
        )
    if "TimedOut" in text or "kind: Timeout" in text:
        return UnavailableStorageError(
            f"{address}: the storage went on to be silent or slow; try again later", code="E-storage-unavailable"
        )
    if "HttpError" in text:
        return UnavailableStorageError(
            f"{address}: the connection was cut again and again; try again later", code="E-storage-unavailable"
        )
    if type(error).__name__ == "NotSupportedError":
        return InvalidStorageError(
            f"{address}: the server sends whole files only, and parts of them are needed (range requests); copy it to a"
            " disk, or to another server",
            code="E-storage-refused",
        )
    if status:
        return InvalidStorageError(
            f"{address}: the storage refused the request ({code or status})", code="E-storage-refused"
        )
    if ("path" in text.lower() and "parse" in text.lower()) or type(error).__name__ == "InvalidPathError":
        return InvalidStorageError(
            f"{address} holds a name that cannot be read, such as one with // or .. in it; rename it, or name a folder"
            " without it",
            code="E-storage-address",
        )
    return InvalidStorageError(f"{address} cannot be used ({type(error).__name__})", code="E-storage-refused")


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""
