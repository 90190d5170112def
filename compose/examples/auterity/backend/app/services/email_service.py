"""Sends e-mail through SendGrid, and through Mailgun when SendGrid does not take it.

Both are outside the deployment: there is no SMTP server to send to while developing or testing.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import httpx

from app.settings import secret, settings

SENDGRID_URL = "https://api.sendgrid.com/v3/mail/send"
MAILGUN_URL = "https://api.mailgun.net/v3"
SEND_SECONDS = 15.0


class EmailError(OSError):
    """No provider took the message."""


@dataclass(frozen=True)
class Attachment:
    """One file that goes with a message."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Email:
    """One message."""

    to: str
    subject: str
    text: str
    html: str = ""
    attachments: tuple[Attachment, ...] = ()


class EmailService:
    """Tries the configured providers in turn."""

    def __init__(self) -> None:
        self.sender = settings().email_from
        self.sendgrid_key = secret("SENDGRID_API_KEY")
        self.mailgun_key = secret("MAILGUN_API_KEY")
        self.mailgun_domain = settings().mailgun_domain

    async def send(self, email: Email) -> str:
        """Send `email` and return the name of the provider that took it."""
        refusals: list[str] = []
        async with httpx.AsyncClient(timeout=SEND_SECONDS) as client:
            for name, post in self._providers().items():
                try:
                    answer = await post(client, email)
                except httpx.HTTPError as error:
                    refusals.append(f"{name}: {type(error).__name__}")
                    continue
                if answer.is_success:
                    return name
                refusals.append(f"{name}: {answer.status_code}")
        raise EmailError("; ".join(refusals) or "no mail provider is configured")

    def _providers(self) -> dict[str, Any]:
        providers: dict[str, Any] = {}
        if self.sendgrid_key:
            providers["sendgrid"] = self._sendgrid
        if self.mailgun_key and self.mailgun_domain:
            providers["mailgun"] = self._mailgun
        return providers

    async def _sendgrid(self, client: httpx.AsyncClient, email: Email) -> httpx.Response:
        content = [{"type": "text/plain", "value": email.text}]
        if email.html:
            content.append({"type": "text/html", "value": email.html})
        body: dict[str, Any] = {
            "personalizations": [{"to": [{"email": email.to}]}],
            "from": {"email": self.sender},
            "subject": email.subject,
            "content": content,
        }
        if email.attachments:
            body["attachments"] = [
                {
                    "filename": item.name,
                    "type": item.media_type,
                    "content": base64.b64encode(item.content).decode("ascii"),
                }
                for item in email.attachments
            ]
        return await client.post(SENDGRID_URL, json=body, headers={"Authorization": f"Bearer {self.sendgrid_key}"})

    async def _mailgun(self, client: httpx.AsyncClient, email: Email) -> httpx.Response:
        fields = {"from": self.sender, "to": email.to, "subject": email.subject, "text": email.text}
        if email.html:
            fields["html"] = email.html
        files = [("attachment", (item.name, item.content, item.media_type)) for item in email.attachments]
        address = f"{MAILGUN_URL}/{self.mailgun_domain}/messages"
        return await client.post(address, data=fields, files=files or None, auth=("api", self.mailgun_key))
