"""The Celery worker: what takes longer than a request may."""

from __future__ import annotations

import asyncio

from celery import Celery

from app.services.email_service import Attachment, Email, EmailService
from app.services.puppeteer_service import PuppeteerService
from app.settings import settings

app = Celery("auterity", broker=settings().broker_url)
app.conf.update(
    task_acks_late=True,
    task_default_queue="auterity",
    task_serializer="json",
    accept_content=["json"],
    task_time_limit=300,
)


@app.task(autoretry_for=(OSError,), retry_backoff=True, max_retries=5)
def mail_report(address: str, recipient: str, title: str) -> int:
    """Render the page at `address` to PDF and mail it; return the attachment's size in bytes."""
    pdf = asyncio.run(PuppeteerService().pdf(address))
    report = Attachment(name=f"{title}.pdf", media_type="application/pdf", content=pdf)
    email = Email(to=recipient, subject=title, text=f"The report {title} is attached.", attachments=(report,))
    asyncio.run(EmailService().send(email))
    return len(pdf)
