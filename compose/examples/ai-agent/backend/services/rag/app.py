"""RAG service: keeps documents, and finds the one that speaks most of what is asked."""

from __future__ import annotations

import re

from backend.services.server import Body, Request, check_token, serve

_documents: dict[str, str] = {}
_MOST = 1000


def add(request: Request) -> tuple[int, Body]:
    """Keep a document."""
    check_token(request)
    if len(_documents) >= _MOST:
        _documents.pop(next(iter(_documents)))
    _documents[request.text("title")] = request.text("text")
    return 201, {"documents": len(_documents)}


def query(request: Request) -> tuple[int, Body]:
    """The document with most words of the query."""
    check_token(request)
    asked = _words(request.text("query"))
    found = max(_documents.items(), key=lambda item: len(asked & _words(item[1])), default=None)
    if found is None or not asked & _words(found[1]):
        return 200, {"results": []}
    return 200, {"results": [{"title": found[0], "text": found[1]}]}


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


if __name__ == "__main__":
    serve("rag-service", "RAG_SERVICE_PORT", 5003, {"/query": query, "/documents": add})
