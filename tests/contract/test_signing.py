"""Signed commands: the bytes that are signed, and that nothing in them can be changed."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parvis_contract import dump_message, parse_message
from parvis_contract.signing import KeyFileError, SigningKey, is_signed, key_digest, signed_bytes

from .examples import example, messages

KEY = SigningKey.make()
KEYS = {key_digest(KEY.public_key): KEY.public_key}
COMMANDS = ("command.allowlist", "command.config", "command.release")


def raw(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def signed(value: dict[str, Any]) -> bytes:
    return KEY.sign(parse_message(raw(value)))


def is_ours(text: bytes) -> bool:
    return is_signed(text, parse_message(text).data.signature, KEYS)


def shuffled(value: Any, draw: st.DrawFn) -> Any:
    if isinstance(value, dict):
        return {name: shuffled(value[name], draw) for name in draw(st.permutations(list(value)))}
    return [shuffled(each, draw) for each in value] if isinstance(value, list) else value


@given(messages(COMMANDS), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_order_and_blanks_do_not_matter_and_the_signature_is_not_signed(value: dict[str, Any], data: st.DataObject) -> None:
    other = data.draw(st.composite(lambda draw: shuffled(value, draw))())
    other["data"]["signature"] = {"key": "ab" * 32, "value": "cd" * 64}
    text = signed_bytes(json.dumps(other, indent=2).encode())
    assert text == signed_bytes(raw(value))
    # RFC 8785 for what commands hold: names in order of their UTF-16 (ASCII here), no blanks, shortest integers.
    assert json.loads(text)["data"] == {name: part for name, part in value["data"].items() if name != "signature"}
    assert text.isascii()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode()


@given(messages(COMMANDS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_signed_is_found_signed_and_by_no_other_key(value: dict[str, Any]) -> None:
    text = signed(value)
    message = parse_message(text)
    assert dump_message(message) == text
    assert is_ours(text)
    stranger = SigningKey.make().public_key
    assert not is_signed(text, message.data.signature, {key_digest(stranger): stranger})
    # A key under another one's digest: the name alone opens nothing.
    assert not is_signed(text, message.data.signature, {message.data.signature.key: stranger})


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for name, part in pairs for leaf in leaves(part, (*path, name))]
    return [path]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_field_can_be_changed(name: str) -> None:
    text = signed(example(name))
    whole = json.loads(text)
    for path in leaves(whole):
        changed = json.loads(text)
        within = changed
        for part in path[:-1]:
            within = within[part]
        within[path[-1]] = "something else"
        assert path[:2] == ("data", "signature") or signed_bytes(raw(changed)) != signed_bytes(text), path


def test_a_key_file_is_its_owners_alone_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "hub.key"
    KEY.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SigningKey.load(path).public_key == KEY.public_key
    with pytest.raises(KeyFileError, match="not overwritten"):
        SigningKey.make().save(path)
    assert SigningKey.load(path).public_key == KEY.public_key
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        SigningKey.load(path)


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"\x00" * 32], ids=["empty", "broken", "bytes"]
)
def test_what_is_no_key_is_told_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hub.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="parvis-hub keys new"):
        SigningKey.load(path)
    with pytest.raises(KeyFileError, match="parvis-hub keys new"):
        SigningKey.load(tmp_path / "absent.key")
