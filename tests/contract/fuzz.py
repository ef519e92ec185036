"""Malformed messages: valid ones of every type, each broken in one known way, and some that are nothing at all.

``malformed(seed)`` yields them without end, the same for the same seed; ``python -m tests.contract.fuzz --count 100000`` puts
them through the contract's reader and counts how each was refused.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from parvis_contract import EVENT_TYPES, FROM_HUB, Refused, parse_message

from tests.contract.examples import NAMES, OTHER_ID, WEBP_BASE64, WIDE_WEBP_BASE64, example

Path = tuple[str | int, ...]
#: Fields that a message may lack.
_OPTIONAL = {
    "datacontenttype",
    "reason",
    "camera",
    "microphone",
    "models",
    "course",
    "ellipse",
    "refused",
    "family",
    "commands",
    "allowlist",
}


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
        return
    for key, each in items:
        yield from _leaves(each, (*path, key))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(each)


def _put(message: Any, path: Path, value: Any) -> dict[str, Any]:
    owner = message
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    return message


def _leaf(rng: random.Random, message: Any, wanted: Callable[[Path, Any], bool]) -> Path | None:
    paths = [path for path, value in _leaves(message) if wanted(path, value)]
    return rng.choice(paths) if paths else None


def _is_number(_: Path, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(_: Path, value: Any) -> bool:
    return isinstance(value, str)


def _is_time(_: Path, value: Any) -> bool:
    return isinstance(value, str) and len(value) == 27 and value.endswith("Z")


def _is_id(_: Path, value: Any) -> bool:
    return isinstance(value, str) and len(value) == 36 and value.count("-") == 4


def _raw_at(message: dict[str, Any], path: Path, raw: bytes) -> bytes:
    """The message with bytes of one's own where a value stands."""
    mark = "\x1amark\x1a"
    return _compact(_put(message, path, mark)).replace(json.dumps(mark).encode(), raw, 1)


# --- ways to break one --------------------------------------------------------------------------------------------------------
# Each takes a random number generator and a fresh valid message and gives bytes that no reader may accept, or None if the
# message has nothing to break that way.


def _unknown_field(rng: random.Random, message: dict[str, Any]) -> bytes:
    owner = rng.choice(list(_objects(message)))
    name = rng.choice(["track_id", "embedding", "note", "Id", "data ", "", "face", "x" * 60, "é", "__class__", "comexampleextension"])
    owner[name] = rng.choice([1, "somebody in a red coat", [0.1] * 8, None, {"a": {}}, True])
    return _compact(message)


def _duplicate_key(rng: random.Random, message: dict[str, Any]) -> bytes:
    objects = [each for each in _objects(message) if each]
    owner = rng.choice(objects)
    key = rng.choice(list(owner))
    value = owner[key]
    owner["\x1adup\x1a"] = value
    # Once more, perhaps in another spelling of the same key.
    spelling = json.dumps(key) if rng.random() < 0.5 else '"' + "".join(f"\\u{ord(letter):04x}" for letter in key) + '"'
    return _compact(message).replace(json.dumps("\x1adup\x1a").encode(), spelling.encode(), 1)


def _not_finite(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    path = _leaf(rng, message, _is_number)
    word = rng.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"nan", b"inf", b"1e99999999999"])
    return None if path is None else _raw_at(message, path, word)


def _huge_number(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    path = _leaf(rng, message, _is_number)
    digits = rng.choice([20, 30, 310, 5000])
    word = rng.choice(["", "-"]) + rng.choice(["9" * digits, f"1e{min(digits, 300)}", "1" + "0" * digits + ".5"])
    return None if path is None else _raw_at(message, path, word.encode())


def _not_a_json_number(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    path = _leaf(rng, message, _is_number)
    word = rng.choice([b"01", b"+1", b".5", b"1.", b"0x10", b"1_000", b"1,5", b"--1", b"1e", b"\xd9\xa1"])
    return None if path is None else _raw_at(message, path, word)


def _fractional_integer(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    path = _leaf(rng, message, lambda _, value: isinstance(value, int) and not isinstance(value, bool))
    return None if path is None else _raw_at(message, path, rng.choice([b"1.0", b"1e0", b"1.5", b"-1", b"true"]))


def _deep(rng: random.Random, message: dict[str, Any]) -> bytes:
    depth = rng.choice([3, 100, 1000, 20_000, 60_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    nest = opening * depth + b"1" + closing * depth
    path = _leaf(rng, message, lambda path, _: path != ("type",))
    assert path is not None
    return nest if rng.random() < 0.2 else _raw_at(message, path, nest)


def _not_utf8(rng: random.Random, message: dict[str, Any]) -> bytes:
    raw = bytearray(_compact(message))
    raw[rng.randrange(len(raw))] = rng.choice([0x80, 0xBF, 0xC0, 0xC1, 0xED, 0xF5, 0xFF])
    return bytes(raw)


def _other_encoding(rng: random.Random, message: dict[str, Any]) -> bytes:
    text = json.dumps(message)
    return text.encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp500"])) if rng.random() < 0.8 else _base64_of(text)


def _base64_of(text: str) -> bytes:
    return base64.b64encode(text.encode())


def _surrogate(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    path = _leaf(rng, message, _is_text)
    return (
        None if path is None else _raw_at(message, path, rng.choice([b'"\\ud800"', b'"a\\udfff"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"']))
    )


def _bad_time(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    path = _leaf(rng, message, _is_time)
    time = rng.choice(
        [
            "2026-06-21T18:04:05.123456",
            "2026-06-21",
            "2026-06-21 18:04:05Z",
            "2026-06-21T18:04Z",
            "2026-02-30T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-06-21T24:00:00Z",
            "2026-06-21T18:04:60Z",
            "2026-06-21T18:04:05.1234567Z",
            "2026-06-21T18:04:05,5Z",
            "2026-06-21T18:04:05z",
            "2026-06-21T18:04:05Z\n",
            "2026-06-21T18:04:05+0200",
            "2026-06-21T18:04:05+24:00",
            "2026-06-21T18:04:05 Europe/Paris",
            "20260621T180405Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "1970-01-01T00:30:00+01:00",
            "1969-12-31T23:59:59Z",
            "+12026-06-21T18:04:05Z",
            "٢٠٢٦-06-21T18:04:05Z",
            "now",
            "",
            "2026-W25-7T18:04:05Z",
            1782065045,
            1782065045.5,
            None,
        ]
    )
    if path is None or (time is None and path[-1] in ("at", "time")):
        return None
    return _compact(_put(message, path, time))


def _bad_id(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    path = _leaf(rng, message, _is_id)
    good = OTHER_ID
    bad = rng.choice(
        [
            good[:14] + "4" + good[15:],
            good[:14] + "1" + good[15:],
            good[:19] + "c" + good[20:],
            good.upper(),
            good.replace("-", ""),
            "{" + good + "}",
            "urn:uuid:" + good,
            good[:-1],
            good + "\n",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            good.replace("0", "٠"),
            "track-17",
            17,
            [good],
        ]
    )
    return None if path is None else _compact(_put(message, path, bad))


def _truncated(rng: random.Random, message: dict[str, Any]) -> bytes:
    raw = _compact(message)
    return raw[: rng.randrange(len(raw))]


def _trailing(rng: random.Random, message: dict[str, Any]) -> bytes:
    raw = _compact(message)
    return raw + rng.choice([b"x", b"\x00", raw, b",", b"}", b"\n" + raw, b"//"])


def _not_quite_json(rng: random.Random, message: dict[str, Any]) -> bytes:
    raw = _compact(message)
    return rng.choice(
        [
            raw.replace(b'"', b"'"),
            raw[:-1] + b",}",
            b"/* */" + raw,
            raw.replace(b":", b"=", 1),
            b"data: " + raw,
            raw.replace(b'"id"', b"id", 1),
        ]
    )


def _wrong_kind(rng: random.Random, message: dict[str, Any]) -> bytes:
    path, value = rng.choice(list(_leaves(message)))
    if isinstance(value, bool):
        other: Any = rng.choice([0, 1, "true", "yes", None, [], {}])
    elif isinstance(value, int | float):
        other = rng.choice([str(value), True, [], {}, [value], {"value": value}])
    elif isinstance(value, str):
        other = rng.choice([-0.5, 1.5, False, [], {}, [value], {"value": value}])
    else:
        other = rng.choice([{"x": 1}, [[]], False, ""])
    return _compact(_put(message, path, other))


def _free_text(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    path = _leaf(rng, message, _is_text)
    words = [
        "man in a red coat",
        "Bench 12",
        "",
        " ",
        "a" * 33,
        "u017\n",
        "U017",
        "-a",
        "a_b",
        "été",
        "<b>",
        "\x00",
        "\\",
        "a" * 600,
        "u017 ",
    ]
    return None if path is None else _compact(_put(message, path, rng.choice(words)))


def _missing(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    data = message["data"]
    optional = _OPTIONAL | ({"sequence", "time"} if "tag" in data else set())
    choices = [(owner, key) for owner in _objects(message) for key in owner if key not in optional or (key == "time" and owner is message)]
    owner, key = rng.choice(choices)
    del owner[key]
    return _compact(message)


def _wrong_type(rng: random.Random, message: dict[str, Any]) -> bytes:
    kind = message["type"]
    others = [f"org.parvis.{name}.v1" for name in NAMES]
    message["type"] = rng.choice(
        [
            kind[:-1] + "2",
            kind.upper(),
            kind.removesuffix(".v1"),
            kind + " ",
            "",
            "org.parvis.person.identified.v1",
            *(o for o in others if o != kind),
        ]
    )
    return _compact(message)


def _wrong_envelope(rng: random.Random, message: dict[str, Any]) -> bytes:
    key, value = rng.choice(
        [
            ("specversion", "0.3"),
            ("specversion", 1.0),
            ("specversion", "1"),
            ("datacontenttype", "text/plain"),
            ("datacontenttype", ""),
            ("data", None),
            ("data", "{}"),
            ("data", []),
            ("data", {}),
            ("data", 1),
        ]
    )
    message[key] = value
    return _compact(message)


def _wrong_source(rng: random.Random, message: dict[str, Any]) -> bytes:
    from_hub = message["type"].removeprefix("org.parvis.").removesuffix(".v1") in FROM_HUB
    wrong = [
        "urn:parvis:a:b:c",
        "urn:parvis:a",
        "urn:other:a:u1",
        "urn:parvis::u1",
        "urn:parvis:a:",
        "https://a/b",
        "",
        "urn:parvis:A:u1",
        "urn:parvis:a:u1\n",
    ]
    wrong += (
        ["urn:parvis:a:u1"] if from_hub else ["urn:parvis:a:hub", "urn:parvis:a:incident", "urn:parvis:a:route", "urn:parvis:a:rejected"]
    )
    message["source"] = rng.choice(wrong)
    return _compact(message)


def _too_large(rng: random.Random, message: dict[str, Any]) -> bytes:
    raw = _compact(message)
    return raw[:-1] + b" " * rng.choice([131_073, 300_000]) + raw[-1:]


def _contradiction(rng: random.Random, message: dict[str, Any]) -> bytes | None:
    name, data = message["type"].removeprefix("org.parvis.").removesuffix(".v1"), message["data"]
    if name in EVENT_TYPES and EVENT_TYPES[name].lasts:
        data |= rng.choice([{"phase": "instant"}, {"phase": "start"}, {"event": message["id"]}, {"event": None}, {"phase": "begin"}])
    elif name in EVENT_TYPES:
        data |= rng.choice([{"phase": "start"}, {"phase": "end", "event": OTHER_ID}, {"event": OTHER_ID}, {"event": message["id"]}])
    elif name == "tag.sighting":
        data |= rng.choice([{"time": "2026-06-21T18:04:05.123457Z"}, {"tag": 587}, {"tag": -1}])
    elif name == "incident":
        data |= rng.choice(
            [
                {"last_observed": "2025-01-01T00:00:00Z"},
                {"measure": {"cause": "dark"}},
                {"type": "zone.intrusion"},
                {"operator": {"verdict": "confirmed", "by": None, "at": None}},
                {"operator": {"verdict": "unconfirmed", "by": "operator-3", "at": data["last_observed"]}},
                {"units": []},
                {"events": []},
                {"position": data["position"] | {"ellipse": {"semi_major_m": 1.0, "semi_minor_m": 2.0, "bearing_deg": 0.0}}},
                {"position": data["position"] | {"ellipse": {"semi_major_m": 2.0, "semi_minor_m": 1.0, "bearing_deg": 180.0}}},
            ]
        )
    elif name == "route":
        data["segments"][0]["left"] = "2025-01-01T00:00:00Z"
    elif name == "command.allowlist":
        data["allow"] = rng.choice([[{"first": 3, "last": 2}], [{"first": 1, "last": 1}] * 17])
    elif name == "flow.count":
        data["in"] = rng.choice(["<0", "<", "10", "< 10", ">10", "<10\n", "<99999"])
    elif name == "evidence.plate":
        data["webp_base64"] = rng.choice(
            [WIDE_WEBP_BASE64, WEBP_BASE64 + "AAAA", WEBP_BASE64[:-1], "AAAA", "/9j/4AAQSkZJRg==", WEBP_BASE64[:40]]
        )
    else:
        return None
    return _compact(message)


def _no_message(rng: random.Random, _: dict[str, Any]) -> bytes:
    if rng.random() < 0.5:
        return rng.randbytes(rng.choice([0, 1, 7, 200, 2000]))
    return rng.choice([b"", b" ", b"null", b"true", b"1", b'"a"', b"[]", b"{}", b"[[]]", b"\n", b"{", b"\xef\xbb\xbf{}", b"\x00" * 64])


BREAKERS: tuple[Callable[[random.Random, dict[str, Any]], bytes | None], ...] = (
    _unknown_field,
    _duplicate_key,
    _not_finite,
    _huge_number,
    _not_a_json_number,
    _fractional_integer,
    _deep,
    _not_utf8,
    _other_encoding,
    _surrogate,
    _bad_time,
    _bad_id,
    _truncated,
    _trailing,
    _not_quite_json,
    _wrong_kind,
    _free_text,
    _missing,
    _wrong_type,
    _wrong_envelope,
    _wrong_source,
    _too_large,
    _contradiction,
    _no_message,
)


def malformed_with_kind(seed: int) -> Iterator[tuple[str, bytes]]:
    """As :func:`malformed`, each with the name of what is wrong with it."""
    rng = random.Random(seed)
    while True:
        # Seldom: they cost a hundred times as much to read as the others.
        breaker = rng.choice(BREAKERS)
        if breaker is _too_large and rng.random() < 0.8:
            continue
        raw = breaker(rng, example(rng.choice(NAMES)))
        if raw is not None:
            yield breaker.__name__[1:], raw


def malformed(seed: int) -> Iterator[bytes]:
    """Messages that every reader must refuse, without end; the same for the same seed."""
    return (raw for _, raw in malformed_with_kind(seed))


def main() -> int:
    """Puts many through the reader; exit status 1 if one is accepted or raises anything but Refused."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    reasons: Counter[str] = Counter()
    failed = 0
    for kind, raw in islice(malformed_with_kind(options.seed), options.count):
        try:
            parse_message(raw)
        except Refused as refused:
            reasons[refused.reason] += 1
            continue
        except Exception as error:  # noqa: BLE001
            sys.stdout.write(f"{kind}: {type(error).__name__}: {error}: {raw[:300]!r}\n")
        else:
            sys.stdout.write(f"{kind}: accepted: {raw[:600]!r}\n")
        failed += 1
    for reason, count in reasons.most_common():
        sys.stdout.write(f"{count:8d}  {reason}\n")
    sys.stdout.write(f"{reasons.total()} refused, {failed} not\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
