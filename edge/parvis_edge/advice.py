"""What to do, by the reason that a unit gives for its state: the same question that the doctor answers, asked of a unit that runs."""

from __future__ import annotations

from parvis_contract import StatusReason

#: For every reason of the contract's list; the console has its own words, for a control room that cannot log in to the unit.
ADVICE: dict[StatusReason, str] = {
    StatusReason.CONNECTION_LOST: "check the power and the network of what was lost; parvis-edge doctor walks the way",
    StatusReason.SOURCE_MISSING: "check the cable, and the name after --video or --audio (ls /dev/video*, arecord -l)",
    StatusReason.SOURCE_ENDED: "a recording was played to its end; a stream was closed by its camera: look at the camera's own page",
    StatusReason.SOURCE_UNREADABLE: "check the address, the password, and the coding that the camera or microphone is set to",
    StatusReason.NO_DATA: "check the power and the cable of the camera or microphone, and its own page",
    StatusReason.LOW_RATE: "check the link to the camera or microphone; some cameras slow down in the dark",
    StatusReason.RECONNECTING: "wait; if it lasts, check power, cable and address, and run parvis-edge doctor",
    StatusReason.FORMAT_CHANGED: "fix size and rate in the camera's settings; then calibrate again",
    StatusReason.CANNOT_KEEP_UP: "a smaller picture, fewer zones, or a faster computer",
    StatusReason.TAMPERED: "look at the lens and the microphone: covered, turned, out of focus, frozen or silent",
    StatusReason.NOT_DARK: "the site wants its cameras blind but for reflecting tags: shorten the exposure until nothing else is seen",
    StatusReason.PROFILE_FORBIDS: "another profile or another place: ask the data protection officer; parvis-edge doctor shows the line",
    StatusReason.MODEL_FAILED: "the log has the error (journalctl); put the model back as released, or update the unit",
    StatusReason.OUTBOX_FULL: "check the way to the broker: parvis-edge doctor",
    StatusReason.DISK_FULL: "make room (journalctl --vacuum-size=100M, apt clean); what happens meanwhile is kept in memory",
    StatusReason.CLOCK_UNSYNCHRONISED: "name a time server: timedatectl set-ntp true, then timedatectl timesync-status",
    StatusReason.CLOCK_JUMPED: "once after a start is usual; again and again, look at the time server",
    StatusReason.OVERHEATED: "shade, air and a heat sink; or fewer zones and a smaller picture",
    StatusReason.BROKER_REFUSES: "check this unit's certificate and the broker's access list: parvis-edge doctor",
}
