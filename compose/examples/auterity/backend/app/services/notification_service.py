"""Notifies people: by e-mail, in the application, by webhook and on Slack."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from string import Template
from uuid import uuid4

import httpx

from app.services.email_service import Email, EmailError, EmailService
from app.settings import secret

logger = logging.getLogger(__name__)

WEBHOOK_SECONDS = 10.0
INBOX_SIZE = 200
KEEP = timedelta(days=30)


class Channel(Enum):
    """How a notification reaches its recipient."""

    EMAIL = "email"
    IN_APP = "in_app"
    WEBHOOK = "webhook"
    SLACK = "slack"


class Priority(Enum):
    """How urgent a notification is; urgent ones ignore quiet hours and limits."""

    LOW = 1
    NORMAL = 2
    URGENT = 3


@dataclass(frozen=True)
class Notification:
    """One message to one recipient."""

    recipient: str
    subject: str
    body: str
    priority: Priority = Priority.NORMAL
    channels: tuple[Channel, ...] = (Channel.IN_APP,)
    data: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid4().hex)

    def rendered(self) -> Notification:
        """Return the notification with `$name` replaced from its data."""
        if not self.data:
            return self
        return Notification(
            recipient=self.recipient,
            subject=Template(self.subject).safe_substitute(self.data),
            body=Template(self.body).safe_substitute(self.data),
            priority=self.priority,
            channels=self.channels,
            id=self.id,
        )


@dataclass(frozen=True)
class Delivery:
    """What became of a notification on one channel."""

    notification: str
    channel: Channel
    delivered: bool
    detail: str = ""


@dataclass(frozen=True)
class Preferences:
    """What a recipient wants, and when."""

    muted: frozenset[Channel] = frozenset()
    quiet_from: int | None = None
    quiet_until: int | None = None
    webhook: str = ""
    slack_channel: str = "#general"

    def quiet_at(self, hour: int) -> bool:
        """Say whether `hour` (0 to 23, UTC) lies in the quiet hours, which may span midnight."""
        if self.quiet_from is None or self.quiet_until is None:
            return False
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= hour < self.quiet_until
        return hour >= self.quiet_from or hour < self.quiet_until


@dataclass
class InboxEntry:
    """A notification as the application shows it."""

    notification: Notification
    at: datetime
    read: bool = False


class RateLimit:
    """At most `count` notifications a recipient in `seconds`."""

    def __init__(self, count: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.count = count
        self.seconds = seconds
        self.clock = clock
        self._sent: dict[str, deque[float]] = defaultdict(deque)

    def take(self, recipient: str) -> bool:
        """Count one notification; say whether it is within the limit."""
        now, sent = self.clock(), self._sent[recipient]
        while sent and now - sent[0] > self.seconds:
            sent.popleft()
        if len(sent) >= self.count:
            return False
        sent.append(now)
        return True


class Inbox:
    """The notifications that the application shows, the newest first."""

    def __init__(self, size: int = INBOX_SIZE) -> None:
        self.size = size
        self._entries: dict[str, deque[InboxEntry]] = {}

    def add(self, notification: Notification, at: datetime) -> None:
        """Store a notification; the oldest one leaves when the inbox is full."""
        entries = self._entries.setdefault(notification.recipient, deque(maxlen=self.size))
        entries.appendleft(InboxEntry(notification, at))

    def unread(self, recipient: str) -> list[InboxEntry]:
        """Return what the recipient has not read."""
        return [entry for entry in self._entries.get(recipient, ()) if not entry.read]

    def mark_read(self, recipient: str, ids: Iterable[str]) -> int:
        """Mark the notifications as read; return how many were unread."""
        wanted = set(ids)
        hits = [entry for entry in self.unread(recipient) if entry.notification.id in wanted]
        for entry in hits:
            entry.read = True
        return len(hits)

    def expire(self, now: datetime, keep: timedelta = KEEP) -> int:
        """Drop what is older than `keep`; return how many were dropped."""
        dropped = 0
        for recipient, entries in self._entries.items():
            kept = deque((entry for entry in entries if now - entry.at <= keep), maxlen=self.size)
            dropped += len(entries) - len(kept)
            self._entries[recipient] = kept
        return dropped


class NotificationService:
    """Sends a notification on each of its channels, and says what became of it."""

    def __init__(self, email: EmailService, inbox: Inbox | None = None, limit: RateLimit | None = None) -> None:
        self.email = email
        self.inbox = inbox or Inbox()
        self.limit = limit or RateLimit(count=30, seconds=60)
        self.preferences: dict[str, Preferences] = {}
        self._senders: dict[Channel, Callable[[Notification], Awaitable[Delivery]]] = {
            Channel.EMAIL: self._send_email,
            Channel.IN_APP: self._send_in_app,
            Channel.WEBHOOK: self._send_webhook,
            Channel.SLACK: self._send_slack,
        }

    def prefer(self, recipient: str, preferences: Preferences) -> None:
        """Set what a recipient wants."""
        self.preferences[recipient] = preferences

    async def send(self, notification: Notification) -> list[Delivery]:
        """Deliver on every channel that the recipient has not muted; one failure does not stop the others."""
        if not self._admitted(notification):
            return [self._failed(notification, channel, "rate limit") for channel in notification.channels]
        rendered = notification.rendered()
        return [await self._deliver(rendered, channel) for channel in self._channels(notification)]

    async def broadcast(self, recipients: Iterable[str], subject: str, body: str) -> list[Delivery]:
        """Send the same in-app notification to many recipients."""
        results: list[Delivery] = []
        for recipient in dict.fromkeys(recipients):
            results += await self.send(Notification(recipient=recipient, subject=subject, body=body))
        return results

    def _admitted(self, notification: Notification) -> bool:
        return notification.priority is Priority.URGENT or self.limit.take(notification.recipient)

    def _channels(self, notification: Notification) -> list[Channel]:
        wishes = self._wishes(notification)
        if notification.priority is Priority.URGENT:
            return list(notification.channels)
        if wishes.quiet_at(datetime.now(UTC).hour):
            return [Channel.IN_APP]
        return [channel for channel in notification.channels if channel not in wishes.muted]

    def _wishes(self, notification: Notification) -> Preferences:
        return self.preferences.get(notification.recipient, Preferences())

    async def _deliver(self, notification: Notification, channel: Channel) -> Delivery:
        try:
            return await self._senders[channel](notification)
        except (EmailError, httpx.HTTPError) as error:
            logger.warning("notification %s failed on %s: %s", notification.id, channel.value, error)
            return self._failed(notification, channel, str(error))

    @staticmethod
    def _failed(notification: Notification, channel: Channel, detail: str) -> Delivery:
        return Delivery(notification.id, channel, delivered=False, detail=detail)

    async def _send_email(self, notification: Notification) -> Delivery:
        """Mail the notification through the e-mail service."""
        message = Email(to=notification.recipient, subject=notification.subject, text=notification.body)
        provider = await self.email.send(message)
        return Delivery(notification.id, Channel.EMAIL, delivered=True, detail=provider)

    async def _send_in_app(self, notification: Notification) -> Delivery:
        """Put the notification into the recipient's inbox."""
        self.inbox.add(notification, datetime.now(UTC))
        return Delivery(notification.id, Channel.IN_APP, delivered=True)

    async def _send_webhook(self, notification: Notification) -> Delivery:
        """Post the notification to the recipient's own address, signed with HMAC-SHA256."""
        address = self._wishes(notification).webhook
        if not address:
            return self._failed(notification, Channel.WEBHOOK, "no webhook address")
        body = json.dumps({"id": notification.id, "subject": notification.subject, "body": notification.body})
        signature = hmac.new(secret("WEBHOOK_KEY").encode(), body.encode(), hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Auterity-Signature": f"sha256={signature}"}
        async with httpx.AsyncClient(timeout=WEBHOOK_SECONDS) as client:
            answer = await client.post(address, content=body, headers=headers)
        return Delivery(notification.id, Channel.WEBHOOK, answer.is_success, detail=str(answer.status_code))

    async def _send_slack(self, notification: Notification) -> Delivery:
        """Post the notification to Slack."""
        # TODO: call the Slack API once the workspace's app is approved
        channel = self._wishes(notification).slack_channel
        logger.info("SLACK: %s: %s", channel, notification.subject)
        return Delivery(notification.id, Channel.SLACK, delivered=True)


@cache
def notification_service() -> NotificationService:
    """Return the process's own service."""
    return NotificationService(EmailService())
