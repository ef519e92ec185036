"""Each unit as a device of Home Assistant, by its MQTT discovery: how the unit is, in its own messages. Pure.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from parvis_contract import Site, StatusReason, StreamState, UnitState

#: What Home Assistant listens to unless it is told otherwise.
PREFIX = "homeassistant"
#: Field of the telemetry: what it is called, Home Assistant's class of device and unit.
_MEASURED = {
    "temperature_c": ("Temperature", "temperature", "°C"),
    "memory_bytes": ("Memory", "data_size", "B"),
    "outbox_messages": ("Messages waiting", None, None),
    "analysed_fps": ("Pictures analysed", "frequency", "Hz"),
}


def discovery(site: Site, prefix: str = PREFIX) -> dict[str, bytes]:
    """Topics and what is to be retained there, one for each unit of the site plan."""
    return {
        f"{prefix}/device/parvis_{site.site}_{unit}/config": json.dumps(_device(site, unit), separators=(",", ":")).encode()
        for unit in site.units
    }


def _device(site: Site, unit: str) -> dict[str, Any]:
    own, branch = f"parvis_{site.site}_{unit}", f"parvis/v1/{site.site}/{unit}"
    status, telemetry = f"{branch}/status", f"{branch}/telemetry"
    components: dict[str, dict[str, Any]] = {
        "state": _enum("State", status, "{{ value_json.data.state }}", [state.value for state in UnitState]),
        "reason": _enum("Reason", status, "{{ value_json.data.reason or 'none' }}", ["none", *(reason.value for reason in StatusReason)]),
        "problem": {
            "platform": "binary_sensor",
            "name": "Problem",
            "device_class": "problem",
            "state_topic": status,
            "value_template": "{{ 'OFF' if value_json.data.state == 'healthy' else 'ON' }}",
        },
    }
    for sense in site.units[unit].senses:
        template = f"{{{{ value_json.data.{sense}.state if value_json.data.{sense} else None }}}}"
        components[sense] = _enum(sense.capitalize(), status, template, [state.value for state in StreamState])
    for name, (words, device_class, measured_in) in _MEASURED.items():
        components[name] = {
            "platform": "sensor",
            "name": words,
            "state_topic": telemetry,
            "value_template": f"{{{{ value_json.data.{name} }}}}",
            "state_class": "measurement",
            **({"device_class": device_class, "unit_of_measurement": measured_in} if device_class else {}),
        }
    for name, component in components.items():
        component |= {"unique_id": f"{own}_{name}", "entity_category": "diagnostic"}
    return {
        "device": {"identifiers": [own], "name": f"Parvis {unit}", "manufacturer": "Parvis", "model": "unit", "suggested_area": site.site},
        "origin": {"name": "parvis-hub", "sw_version": version("parvis-hub")},
        "components": components,
        "qos": 1,
    }


def _enum(words: str, topic: str, template: str, options: list[str]) -> dict[str, Any]:
    return {
        "platform": "sensor",
        "name": words,
        "device_class": "enum",
        "options": options,
        "state_topic": topic,
        "value_template": template,
    }
