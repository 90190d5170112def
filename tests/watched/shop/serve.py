"""A small web server with a health page and Prometheus metrics: `serve.py PORT HEALTH-PATH METRICS-PREFIX`."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, HEALTH, PREFIX = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Pages(BaseHTTPRequestHandler):
    requests = 0

    def do_GET(self) -> None:
        Pages.requests += 1
        counters = {"requests_total": Pages.requests, "errors_total": 0}
        lines = [f"# TYPE {PREFIX}_{name} counter\n{PREFIX}_{name} {value}\n" for name, value in counters.items()]
        pages = {HEALTH: '{"status": "healthy"}', "/metrics": "".join(lines)}
        self.answer(200 if self.path in pages else 404, pages.get(self.path, "no such page\n"))

    def do_POST(self) -> None:
        """An alert has come."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(200, "heard\n")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing: what would be said is in the metrics."""


ThreadingHTTPServer(("", PORT), Pages).serve_forever()
