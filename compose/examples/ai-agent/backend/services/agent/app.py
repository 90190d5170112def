"""Agent service: answers what users ask."""

from __future__ import annotations

from backend.services.server import Body, Request, check_token, serve

_ANSWERS = {"name": "I am the agent of this system.", "time": "I cannot see a clock.", "help": "Ask me a question."}


def query(request: Request) -> tuple[int, Body]:
    """The answer to a user's request."""
    user = check_token(request)
    asked = request.text("user_request").lower()
    answer = next((text for word, text in _ANSWERS.items() if word in asked), f"I do not know, {user}.")
    return 200, {"response": answer}


if __name__ == "__main__":
    serve("agent-service", "AGENT_SERVICE_PORT", 5002, {"/query": query})
