"""What an installer gives a card beside its claim: cameras, address, Wi-Fi, times; one file on the boot partition, read at each start."""

from __future__ import annotations

import ipaddress
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from .places import CardError
from .quiet import quiet

#: Files of the boot partition that differ from card to card.
CLAIM, SETTINGS, TRUSTED = "parvis-claim.json", "parvis-settings.json", "parvis-root.json"
#: What stands inside quotation marks of a configuration file of wpa_supplicant.
_Quotable = Annotated[str, StringConstraints(pattern=r'^[^"\\\x00-\x1f]+$')]
_Host = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.:-]{1,253}$")]


class SettingsError(CardError):
    """The settings cannot be used."""


class Wifi(BaseModel):
    """A wireless network, WPA2 or WPA3 with a passphrase."""

    model_config = ConfigDict(extra="forbid")

    ssid: _Quotable = Field(max_length=32)
    passphrase: _Quotable = Field(min_length=8, max_length=63)
    country: str = Field("FR", pattern=r"^[A-Z]{2}$")


class Settings(BaseModel):
    """Everything has a default: a cable, an address from the network, a camera and a microphone that are plugged in.

    Attributes:
        video: As ``--video`` of ``parvis-edge watch``; None for no camera.
        audio: As ``--audio``; None for no microphone.
        address: A fixed address with its prefix, ``192.0.2.17/24``; None to be given one.
        gateway: Goes with it.
        resolver: Looks up names; goes with it.
        time_server: None for Debian's.
        wifi: None for a cable.
        quiet: When a new root may be started, UTC: ``02:00-04:00``, or ``any``.
    """

    model_config = ConfigDict(extra="forbid")

    video: str | None = None
    audio: str | None = None
    address: str | None = None
    gateway: str | None = None
    resolver: str | None = None
    time_server: _Host | None = None
    wifi: Wifi | None = None
    quiet: str = "02:00-04:00"

    @field_validator("video", "audio")
    @classmethod
    def _one_line(cls, text: str | None) -> str | None:
        if text is not None and (not text or text.startswith("-") or any(ord(each) < 32 for each in text)):
            raise ValueError("is one word, and no option")
        return text

    @field_validator("address")
    @classmethod
    def _address(cls, text: str | None) -> str | None:
        if text is not None:
            if "/" not in text:
                raise ValueError("write the length of the prefix too: 192.0.2.17/24")
            ipaddress.ip_interface(text)
        return text

    @field_validator("gateway", "resolver")
    @classmethod
    def _one_address(cls, text: str | None) -> str | None:
        if text is not None:
            ipaddress.ip_address(text)
        return text

    @field_validator("quiet")
    @classmethod
    def _window(cls, text: str) -> str:
        quiet(text, datetime.now(UTC))
        return text

    @property
    def options(self) -> str:
        """Of ``parvis-edge watch``, quoted as for a shell."""
        pairs = (("--video", self.video), ("--audio", self.audio))
        return " ".join(f"{name} {shlex.quote(value)}" for name, value in pairs if value is not None)

    def environment(self) -> str:
        """The file that the unit's service reads. systemd takes quotation marks apart when it fills in ``$PARVIS_OPTIONS``."""
        escaped = self.options.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("`", "\\`")
        return f'PARVIS_OPTIONS="{escaped}"\n'

    def network(self) -> str:
        """For systemd-networkd."""
        match = "Name=wl*" if self.wifi else "Type=ether"
        lines = ["[Match]", match, "", "[Network]", "LLMNR=no", "MulticastDNS=no"]
        if self.address:
            lines += [f"Address={self.address}"]
            lines += [f"Gateway={self.gateway}"] if self.gateway else []
            lines += [f"DNS={self.resolver}"] if self.resolver else []
        else:
            lines += ["DHCP=yes"]
        return "\n".join(lines) + "\n"

    def wifi_configuration(self) -> str | None:
        """For wpa_supplicant; None without Wi-Fi."""
        if self.wifi is None:
            return None
        network = f'  ssid="{self.wifi.ssid}"\n  psk="{self.wifi.passphrase}"\n  key_mgmt=WPA-PSK SAE\n  ieee80211w=1\n'
        return f"country={self.wifi.country}\nnetwork={{\n{network}}}\n"


def read_settings(path: Path) -> Settings:
    """The card's settings; all defaults where the file is not there.

    Raises:
        SettingsError: It cannot be read; says where and why.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    try:
        return Settings.model_validate_json(raw)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors())
        raise SettingsError(f"{path}: {told}") from None
