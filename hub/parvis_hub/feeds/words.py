"""What an incident's type is called, and which of CAP's categories it belongs to."""

from __future__ import annotations

#: By language (RFC 5646), then by the type's short name.
TITLES: dict[str, dict[str, str]] = {
    "en": {
        "object.unattended": "Object left",
        "furniture.changed": "Street furniture changed",
        "surface.marked": "Surface marked",
        "crowd.density": "Dense crowd",
        "crowd.surge": "Crowd surge",
        "person.on_ground": "Person on the ground",
        "zone.intrusion": "Presence in a closed zone",
        "traffic.wrong_way": "Driving the wrong way",
        "level.unusual": "Unusual level",
        "sound.impulse": "Impulsive sound",
        "sound.alarm": "Alarm sound",
        "sound.level": "Noise over the limit",
        "unit.tampered": "Unit obstructed",
    },
    "fr": {
        "object.unattended": "Objet laissé",
        "furniture.changed": "Mobilier urbain modifié",
        "surface.marked": "Surface marquée",
        "crowd.density": "Foule dense",
        "crowd.surge": "Mouvement de foule",
        "person.on_ground": "Personne au sol",
        "zone.intrusion": "Présence en zone fermée",
        "traffic.wrong_way": "Circulation à contresens",
        "level.unusual": "Niveau inhabituel",
        "sound.impulse": "Son impulsionnel",
        "sound.alarm": "Son d’alarme",
        "sound.level": "Bruit au-dessus de la limite",
        "unit.tampered": "Unité entravée",
    },
}

#: CAP 1.2, 3.2.2 `category`.
CATEGORIES = {
    "object.unattended": "Security",
    "furniture.changed": "Infra",
    "surface.marked": "Infra",
    "crowd.density": "Safety",
    "crowd.surge": "Safety",
    "person.on_ground": "Rescue",
    "zone.intrusion": "Safety",
    "traffic.wrong_way": "Transport",
    "level.unusual": "Other",
    "sound.impulse": "Security",
    "sound.alarm": "Safety",
    "sound.level": "Env",
    "unit.tampered": "Infra",
}
