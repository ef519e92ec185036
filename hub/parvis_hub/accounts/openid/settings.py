"""Which provider people sign in at, and what its groups are here: read from a file of the maintainer's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from parvis_contract import ConfigError, ConfigProblem
from parvis_contract.config_file import ConfigFile, FileModel
from pydantic import AfterValidator, BeforeValidator, Field

from parvis_hub.accounts.sessions import LONGEST_S
from parvis_hub.governance import Role

#: Names of this machine, with which alone nobody else can speak in between.
_HERE = ("127.0.0.1", "localhost", "::1")


def private(url: str) -> bool:
    """Whether what is sent there can be read by nobody on the way."""
    try:
        parts = urlsplit(url)
        # An impossible port is found only when it is asked for.
        parts.port  # noqa: B018
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE))


def _url(value: str) -> str:
    parts = urlsplit(value)
    if not private(value) or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("an address that begins with https://, without ? and #; http:// on this machine alone")
    return value


def _path(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Url = Annotated[str, Field(strict=True, max_length=300), AfterValidator(_url)]
_Word = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
#: Where a claim stands in the token: its name, or the names on the way to it.
_Claim = Annotated[tuple[_Word, ...], BeforeValidator(_path), Field(min_length=1, max_length=8)]


class OpenIdSettings(FileModel):
    """A provider, and how it is asked.

    Attributes:
        issuer: As the provider writes it, to the letter; its configuration is under ``/.well-known/openid-configuration`` there.
        client_id: Under which the provider knows the console.
        client_secret_file: Whose first line is the client's secret; a relative path begins beside this file. Without it, PKCE alone.
        console: The address of the console as browsers write it. The provider must allow the return to ``api/session/openid/return`` there.
        title: What the provider is called on the button.
        name_claim: Where somebody's name is; what is before an @ stands beside their decisions.
        roles_claim: Where their roles or groups are.
        roles: What each of these is here; of several that somebody has, the one that stands first counts.
        scopes: What is asked for besides ``openid``.
        session_h: How long a session lasts at most, hours.
        ca_file: Who signed the provider's certificate (PEM), where the machine does not know them.
    """

    issuer: _Url
    client_id: _Word
    client_secret_file: Path | None = None
    console: _Url
    title: _Word
    name_claim: _Claim = ("preferred_username",)
    roles_claim: _Claim
    roles: Annotated[dict[_Word, Role], Field(min_length=1)]
    scopes: tuple[_Word, ...] = ("profile",)
    session_h: Annotated[float, Field(gt=0.0, le=LONGEST_S / 3_600.0)] = LONGEST_S / 3_600.0
    ca_file: Path | None = None

    @property
    def home(self) -> str:
        """The console's address, with a slash at its end."""
        return self.console.rstrip("/") + "/"

    @property
    def returning(self) -> str:
        """Where the provider sends people back to."""
        return self.home + "api/session/openid/return"


def load_openid(file: Path) -> tuple[OpenIdSettings, str | None]:
    """Reads the settings, and the client's secret if there is one.

    Raises:
        ConfigError: Every problem found, each with file, line, key, value and what was expected.
    """
    source = ConfigFile(file)
    settings = source.read(OpenIdSettings)
    beside = {name: file.parent / path for name in ("client_secret_file", "ca_file") if (path := getattr(settings, name)) is not None}
    secret, problems = None, []
    for name, path in beside.items():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(_problem(source, name, path, f"cannot be read: {error}"))
            continue
        if name == "client_secret_file" and not (secret := text.partition("\n")[0].strip()):
            problems.append(_problem(source, name, path, "its first line is the client's secret"))
    if problems:
        raise ConfigError(problems)
    return settings.model_copy(update=beside), secret


def _problem(source: ConfigFile, name: str, path: Path, expected: str) -> ConfigProblem:
    return source.problem((name,), str(path), expected)
