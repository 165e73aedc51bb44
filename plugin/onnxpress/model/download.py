"""Pinned downloads over https, and what `onnxpress verify URL` reads. No other file of the package
touches the network.

A pinned file is named by its sha256. An incomplete or wrong file never gets that name.
"""

import hashlib
import io
import ipaddress
import os
import socket
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ..errors import ModelError, UnavailableError

TIMEOUT_SECONDS = 20
CHUNK = 1 << 20  # bytes
GONE = (404, 410)  # the server has no such file


def admit(url: str) -> None:
    """Returns if `url` may be fetched.

    Raises:
        ModelError: the URL is not https, or its host has an address inside a private network, such
            as a build machine's metadata service.
        UnavailableError: the host cannot be found.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ModelError(f"{url}: only https URLs are fetched")
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UnavailableError(f"{url}: the host cannot be found ({error})") from error
    for *_, address in found:
        if not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global:
            raise ModelError(f"{url}: {parts.hostname} is inside a private network")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Lets `admit` decide on every redirect too."""

    def __init__(self, admit: Callable[[str], None]) -> None:
        self.admit = admit

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        self.admit(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def offline() -> bool:
    """Whether the author forbids downloads, with ONNXPRESS_OFFLINE."""
    return bool(os.environ.get("ONNXPRESS_OFFLINE"))


def fetch(url: str, sha256: str, folder: Path, limit: int, admit: Callable[[str], None] = admit,
          progress: Callable[[int, int], None] = lambda done, total: None) -> Path:
    """The file `folder`/`sha256`, downloaded from `url` unless it is there already.

    `limit`: the most bytes that are accepted. `progress(received, total)` counts bytes; `total` is
    0 if the server does not say.

    Raises:
        ModelError: the URL is refused, or the content is too long or has another sha256.
        UnavailableError: the file cannot be fetched now.
    """
    path = folder / sha256
    if path.is_file() and _digest(path) == sha256:
        return path
    if offline():
        raise UnavailableError(f"{url}: not fetched, ONNXPRESS_OFFLINE is set")
    admit(url)
    opener = urllib.request.build_opener(_Redirects(admit))
    request = urllib.request.Request(url, headers={"User-Agent": "onnxpress"})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
    except OSError as error:
        raise ModelError(f"{url}: cannot be kept in {folder}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as out, opener.open(request, timeout=TIMEOUT_SECONDS) as body:
            found = _copy(body, out, url, limit, progress)
        if found != sha256:
            raise ModelError(f"{url}: the content's sha256 is {found}, the card says {sha256}")
        Path(part).replace(path)
    except (OSError, urllib.error.URLError) as error:
        raise UnavailableError(
            f"{url}: cannot be fetched ({getattr(error, 'reason', error)})") from error
    finally:
        Path(part).unlink(missing_ok=True)
    return path


LOCAL = {"localhost", "127.0.0.1", "::1"}


def admit_asked(url: str) -> Callable[[str], None]:
    """What decides on the URLs that `url` leads to, which a person has named: this machine's own
    server, which may speak http, leads to itself alone; others are as for `admit`."""
    if urlsplit(url).hostname not in LOCAL:
        return admit

    def admit_local(url: str) -> None:
        parts = urlsplit(url)
        if parts.hostname not in LOCAL or parts.scheme not in ("http", "https"):
            raise ModelError(f"{url}: the server of this machine leads to another one")

    return admit_local


def read_url(url: str, limit: int, admit: Callable[[str], None] = admit) -> bytes | None:
    """The content at `url`, which no hash pins; None if the server has no such file (404, 410).

    Raises:
        ModelError: the URL is refused, or the content is longer than `limit` bytes.
        UnavailableError: the file cannot be fetched now.
    """
    if offline():
        raise UnavailableError(f"{url}: not fetched, ONNXPRESS_OFFLINE is set")
    admit(url)
    opener = urllib.request.build_opener(_Redirects(admit))
    request = urllib.request.Request(url, headers={"User-Agent": "onnxpress"})
    out = io.BytesIO()
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as body:
            _copy(body, out, url, limit, lambda done, total: None)
    except urllib.error.HTTPError as error:
        if error.code in GONE:
            return None
        raise UnavailableError(f"{url}: cannot be fetched ({error.code} {error.reason})") from error
    except (OSError, HTTPException) as error:
        raise UnavailableError(
            f"{url}: cannot be fetched ({getattr(error, 'reason', error)})") from error
    return out.getvalue()


def _copy(body: HTTPResponse, out: IO[bytes], url: str, limit: int,
          progress: Callable[[int, int], None]) -> str:
    """Copies `body` to `out`; returns the content's sha256."""
    digest, total = hashlib.sha256(), 0
    announced = int(body.headers.get("Content-Length") or 0)
    while chunk := body.read(CHUNK):
        total += len(chunk)
        if total > limit:
            raise ModelError(f"{url}: longer than the {limit} bytes that are expected")
        digest.update(chunk)
        out.write(chunk)
        progress(total, announced)
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
