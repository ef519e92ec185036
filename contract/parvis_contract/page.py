"""The contract's reference page for people, in Markdown, generated from the models."""

from __future__ import annotations

from typing import Any

from .channels import CHANNELS
from .envelope import ENVELOPES, FROM_HUB, MAX_BYTES, MAX_LARGE_BYTES, full_name, what_it_says
from .hub_messages import RefusalReason
from .measures import EVENT_TYPES
from .schema import NOT_EXPRESSIBLE, message_schema

#: A quantity's name ends in its unit: the longest ending that fits.
_UNITS = (
    ("_p_m2", "people/m²"),
    ("_m_s", "m/s"),
    ("_per_s", "1/s"),
    ("_m2", "m²"),
    ("_ms", "ms"),
    ("_m", "m"),
    ("_s", "s"),
    ("_db", "dB re 20 µPa"),
    ("_deg", "°"),
    ("_fps", "1/s"),
    ("_c", "°C"),
    ("_bytes", "bytes"),
    ("_fraction", "share"),
)
#: Descriptions that say no more than the column of units.
_BARE = ("Metres", "Square metres.", "Seconds.", "Milliseconds;", "Decibels re", "People per", "Degrees Celsius", "Per second.", "Bytes.")
_HEAD = "| field | type | unit | bounds | |\n| --- | --- | --- | --- | --- |"
_PATTERNS = {
    "^[a-z0-9](?:": "name",
    "^(?:0|": "version",
    "^[0-9a-f]{8}-": "UUIDv7",
    "^(?:19": "time",
    "^[0-9a-f]{64}$": "SHA-256, hex",
    "^[0-9a-f]{128}$": "Ed25519, hex",
    "^<": '`"<n"`',
    "^urn:": "source",
    "^[A-Za-z0-9+/]+": "base64",
    "^(?:about|": "dotted field",
}


class _Page:
    """Walks one message's schema and writes a row per field."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.definitions: dict[str, Any] = schema.get("$defs", {})

    def resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in part:
            return self.resolve(self.definitions[part["$ref"].rpartition("/")[2]])
        return part

    def rows(self, owner: dict[str, Any], prefix: str = "", leave_out: tuple[str, ...] = ()) -> list[str]:
        rows = []
        for name, part in owner["properties"].items():
            if not prefix and name in leave_out:
                continue
            rows += self.row(prefix + name, name, part, required=name in owner.get("required", ()))
        return rows

    def row(self, path: str, name: str, part: dict[str, Any], *, required: bool) -> list[str]:
        options = [self.resolve(option) for option in part.get("anyOf", [part])]
        nullable = any(option.get("type") == "null" for option in options)
        options = [option for option in options if option.get("type") != "null"]
        unit = next((unit for ending, unit in _UNITS if name.endswith(ending)), "")
        note = part.get("description") or next((option["description"] for option in options if "description" in option), "")
        words = [] if unit and note.startswith(_BARE) else [note.replace("``", "`")]
        if nullable:
            words.append("`null` where not known." if required else "May be `null` or left out.")
        elif not required:
            words.append("May be left out.")
        if all(option.get("type") == "object" for option in options) and len(options) > 1:
            return [f"| `{path}` | object | | | The measure of the incident's type. |"]
        if options and options[0].get("type") == "object":
            return [f"| `{path}` | object | | | {' '.join(filter(None, words))} |", *self.rows(options[0], path + ".")]
        if options and options[0].get("type") == "array":
            array, item = options[0], self.resolve(options[0]["items"])
            kind = "list of objects" if item.get("type") == "object" else f"list of {self.kind(item)}"
            bounds = f"{array.get('minItems', 0)} … {array['maxItems']:,}"
            below = self.rows(item, f"{path}[].") if item.get("type") == "object" else []
            return [f"| `{path}` | {kind} | | {bounds} | {' '.join(filter(None, words))} |", *below]
        kind = " or ".join(self.kind(option) for option in options)
        bounds = next((self.bounds(option) for option in options if self.bounds(option)), "")
        return [f"| `{path}` | {kind} | {unit} | {bounds} | {' '.join(filter(None, words))} |"]

    @staticmethod
    def kind(part: dict[str, Any]) -> str:
        if "const" in part:
            return f"`{part['const']}`"
        if "enum" in part:
            return " · ".join(f"`{value}`" for value in part["enum"])
        if "pattern" in part:
            return next(word for start, word in _PATTERNS.items() if part["pattern"].startswith(start))
        return str(part["type"])

    @staticmethod
    def bounds(part: dict[str, Any]) -> str:
        low, high = part.get("minimum"), part.get("maximum", part.get("exclusiveMaximum"))
        if low is None or high is None:
            return ""
        return f"{_number(low)} … {'< ' if 'exclusiveMaximum' in part else ''}{_number(high)}"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.15g}"


def _table(name: str) -> str:
    schema = message_schema(name)
    page = _Page(schema)
    return "\n".join([_HEAD, *page.rows(page.resolve(schema["properties"]["data"]))])


def _shared() -> str:
    schema = message_schema("object.unattended")
    page = _Page(schema)
    phase = page.row("phase", "phase", {"$ref": "#/$defs/Phase"}, required=True)
    rest = page.rows(page.resolve(schema["properties"]["data"]), leave_out=("phase", "measure"))
    return "\n".join([_HEAD, *phase, *rest])


def _measure(name: str) -> str:
    schema = message_schema(name)
    page = _Page(schema)
    measure = page.resolve(page.resolve(schema["properties"]["data"])["properties"]["measure"])
    return "\n".join([_HEAD, *page.rows(measure)])


def _envelope() -> str:
    page = _Page(message_schema("unit.status"))
    properties = message_schema("unit.status")["properties"]
    rows = [row for name in ("specversion", "id", "source") for row in page.row(name, name, properties[name], required=True)]
    rows += ["| `type` | one of this page's types | | | `org.parvis.` … `.v1` |"]
    rows += page.row("time", "time", properties["time"], required=True)
    rows += page.row("datacontenttype", "datacontenttype", properties["datacontenttype"], required=False)
    return "\n".join([_HEAD, *rows, "| `data` | object | | | As below. |"])


def _section(names: list[str]) -> str:
    return "\n\n".join(f"### `{full_name(name)}`\n\n{what_it_says(name)}\n\n{_table(name)}" for name in names)


def contract_page() -> str:
    """The page."""
    others = [name for name in ENVELOPES if name not in EVENT_TYPES]
    events = [
        f"### `{entry.full_name}`\n\n{what_it_says(name)}\n\n"
        f"Phases: {'`start`, `update`, `end`' if entry.lasts else '`instant`'}. Sensed by: {' or '.join(sorted(entry.senses))}.\n\n"
        f"{_measure(name)}"
        for name, entry in EVENT_TYPES.items()
    ]
    topics = [
        f"| `{c.address}` | {c.sender} → {c.receiver} | {c.qos} | {'yes' if c.retain else 'no'} | "
        f"{', '.join(f'`{name}`' for name in c.messages) if len(c.messages) < 4 else 'the event of that type'} | {c.says} |"
        for c in CHANNELS
    ]
    where_from = (
        "Generated from the models in `contract/parvis_contract` by `make schema`: change those, not this page. "
        "The same models give the [JSON Schemas](../contract/generated/schemas) and the "
        "[AsyncAPI document](../contract/generated/asyncapi.yaml)."
    )
    sizes = (
        f"A message is a CloudEvent 1.0 in JSON structured mode, at most {MAX_BYTES:,} bytes; a plate, an incident or a route at most "
        f"{MAX_LARGE_BYTES:,}. A field, type or value that this page does not name is refused."
    )
    parts = [
        "# The message contract: reference",
        where_from,
        sizes,
        "## Envelope",
        _envelope(),
        "A name has lower-case letters, digits and hyphens, 32 at most. A time is RFC 3339 with its zone, written in UTC.",
        "## Topics",
        "| topic | from → to | QoS | retained | carries | |\n| --- | --- | --- | --- | --- | --- |\n" + "\n".join(topics),
        "## What all events say",
        _shared(),
        "## Events: a closed list",
        "Each stands in `data.measure`.",
        "\n\n".join(events),
        "## What else a unit says",
        _section([name for name in others if name not in FROM_HUB]),
        "## What the hub says",
        _section([name for name in others if name in FROM_HUB and not name.startswith("command.")]),
        "## Commands",
        _section([name for name in others if name.startswith("command.")]),
        "## Why a message is refused",
        "`parvis-contract check` and the hub give one of these: " + ", ".join(f"`{reason}`" for reason in RefusalReason) + ".",
        "## What the JSON Schemas cannot say",
        "The models also refuse what breaks one of these rules:",
        "\n".join(f"- {rule};" for rule in NOT_EXPRESSIBLE)[:-1] + ".",
    ]
    return "\n\n".join(parts) + "\n"
