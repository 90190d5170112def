"""Receives Alertmanager's webhook and notifies the people on call."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.services.notification_service import Channel, Notification, Priority, notification_service

router = APIRouter()
ON_CALL = "on-call@auterity.example"


def to_notification(alert: dict[str, Any]) -> Notification:
    """Turn one alert of the webhook's body into a notification."""
    labels, annotations = alert.get("labels", {}), alert.get("annotations", {})
    critical = labels.get("severity") == "critical"
    return Notification(
        recipient=ON_CALL,
        subject=f"[{alert.get('status', 'firing')}] {labels.get('alertname', 'alert')}",
        body=annotations.get("description") or annotations.get("summary", ""),
        priority=Priority.URGENT if critical else Priority.NORMAL,
        channels=(Channel.EMAIL, Channel.SLACK) if critical else (Channel.EMAIL,),
    )


@router.post("/alerts", status_code=202)
async def receive(body: dict[str, Any]) -> dict[str, int]:
    """Notify once for each alert; answer how many deliveries worked."""
    results = [await notification_service().send(to_notification(alert)) for alert in body.get("alerts", [])]
    return {"delivered": sum(result.delivered for batch in results for result in batch)}
