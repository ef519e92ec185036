"""Certificates for tests, made with openssl as the installer's page does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """An authority of its own in a folder."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is missing: apt install openssl")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate = folder / "ca.pem"
        _run("req", "-x509", *_KEY, "-days", "30", "-subj", f"/CN={name}", "-keyout", folder / "ca.key", "-out", self.certificate)

    def issue(self, name: str, *, names: str = "DNS:localhost,IP:127.0.0.1", days: int = 365, purpose: str = "") -> tuple[Path, Path]:
        """A certificate and its key; `days` below 0 makes one that has ended, `purpose` limits what it is for."""
        stem = self.folder / f"{name}{days}"
        key, request, certificate = stem.with_suffix(".key"), stem.with_suffix(".csr"), stem.with_suffix(".pem")
        more = ["-addext", f"extendedKeyUsage={purpose}"] if purpose else []
        _run("req", *_KEY, "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}", *more, "-keyout", key, "-out", request)
        if days < 0:
            self._sign_for_the_past(request, certificate)
        else:
            signed = ["-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-copy_extensions", "copy"]
            _run("x509", "-req", "-in", request, *signed, "-days", str(days), "-out", certificate)
        return certificate, key

    def _sign_for_the_past(self, request: Path, certificate: Path) -> None:
        """`openssl x509` gives no dates of one's choice in Debian 12; `openssl ca` does."""
        settings, index = self.folder / "ca.conf", self.folder / "index"
        index.write_text("")
        settings.write_text(
            f"[ca]\ndefault_ca = own\n[own]\ndatabase = {index}\nnew_certs_dir = {self.folder}\nrand_serial = yes\n"
            "default_md = sha256\npolicy = any\ncopy_extensions = copy\n[any]\ncommonName = supplied\n"
        )
        dates = ["-startdate", "20240101000000Z", "-enddate", "20240201000000Z"]
        own = ["-cert", self.certificate, "-keyfile", self.folder / "ca.key"]
        _run("ca", "-batch", "-notext", "-config", settings, *own, *dates, "-in", request, "-out", certificate)


def _run(*arguments: object) -> None:
    subprocess.run(["openssl", *(str(each) for each in arguments)], check=True, capture_output=True)
