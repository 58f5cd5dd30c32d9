"""On which ways a letter goes to whom. No I/O here."""

from __future__ import annotations

from pipeline.share.directory import Csirt
from pipeline.share.subscriber import Delivery, Subscriber

TOPIC, WEBHOOK, EMAIL, SYSLOG = "topic", "webhook", "email", "syslog"


def ways_to_csirt(csirt: Csirt, delivery: Delivery) -> tuple[str, ...]:
    """By its topic always, and by what the directory names."""
    mail = csirt.email and delivery.mail is not None
    return (TOPIC, *((WEBHOOK,) if csirt.webhook else ()), *((EMAIL,) if mail else ()))


def ways_to_subscriber(one: Subscriber) -> tuple[str, ...]:
    """By all that it names."""
    said = ((TOPIC, one.topic), (WEBHOOK, one.webhook), (EMAIL, one.email), (SYSLOG, one.syslog))
    return tuple(name for name, wanted in said if wanted)
