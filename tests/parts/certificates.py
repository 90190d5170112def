"""An authority of our own and what it signs, by the machine's `openssl`."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Authority:
    """`file` is its certificate, its key lies beside it."""

    file: Path

    def sign(self, name: str, use: str, *, names: str = "", days: int = 2) -> Path:
        """The certificate `name`, `name-key.pem` beside it.

        use: `serverAuth` or `clientAuth`. names: `IP:127.0.0.1`, for example. days: of its life; -1: it is over.
        """
        folder, key = self.file.parent, self.file.with_name(f"{self.file.stem}-key.pem")
        made, extensions = folder / f"{name}.pem", folder / f"{name}.extensions"
        extensions.write_text(f"extendedKeyUsage={use}\n" + (f"subjectAltName={names}\n" if names else ""))
        request = ("-out", f"{folder / name}.request", "-subj", f"/CN={name}")
        _openssl("req", *_KEY, "-keyout", f"{folder / name}-key.pem", *request)
        signed = ("-CA", str(self.file), "-CAkey", str(key), "-CAcreateserial", "-days", str(days))
        given = ("-in", f"{folder / name}.request", "-extfile", str(extensions), "-out", str(made))
        _openssl("x509", "-req", *given, *signed)
        return made


def authority(folder: Path, name: str) -> Authority:
    """A new authority, kept in `folder`. Raises FileNotFoundError without `openssl`."""
    file = folder / f"{name}.pem"
    _openssl(
        "req", "-x509", *_KEY, "-keyout", str(folder / f"{name}-key.pem"), "-out", str(file), "-days", "2",
        "-subj", f"/CN={name}",
    )  # fmt: skip
    return Authority(file)


def client_folder(place: Path, authority: Path, certificate: Path | None) -> Path:
    """A folder as the Docker CLI keeps its certificates."""
    place.mkdir()
    shutil.copy(authority, place / "ca.pem")
    if certificate:
        shutil.copy(certificate, place / "cert.pem")
        shutil.copy(certificate.with_name(f"{certificate.stem}-key.pem"), place / "key.pem")
    return place


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)
