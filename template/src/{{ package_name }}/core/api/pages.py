"""`/docs`, every route to try out, with its document; and `/`, which says where to go.

The pages load nothing from elsewhere: Swagger UI's files come from the package fastapi-offline.
"""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
# Addresses are relative, so that the page works below any path of a proxy.
_DOCS = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API</title>
<link rel="icon" href="docs/assets/favicon.png">
<link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/assets/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  persistAuthorization: true,
  validatorUrl: null,
});
</script>
</body>
</html>
"""
_FRONT = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API</title>
<link rel="icon" href="data:,">
</head>
<body>
<p>This is an HTTP API.</p>
<ul>
%s<li><a href="status">How the service does</a></li>
<li><a href="health/">Health, for machines</a></li>
</ul>
</body>
</html>
"""
_LINK_TO_DOCS = '<li><a href="docs">Every route, to try out</a></li>\n'


def _policy(*allowed: str) -> dict[str, str]:
    """Return the headers of a page that may do nothing but what is `allowed`."""
    rest = ("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
    return {
        "Content-Security-Policy": "; ".join(("default-src 'none'", *allowed, *rest)),
        "Referrer-Policy": "no-referrer",
    }


def _hash_of_script(page: str) -> str:
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"


docs_router = APIRouter(include_in_schema=False)
front_router = APIRouter(include_in_schema=False)


@docs_router.api_route("/docs", methods=["GET", "HEAD"])
async def docs() -> Response:
    """Show the routes with Swagger UI, which keeps an API key in the browser until one logs out."""
    return HTMLResponse(_DOCS, headers=_DOCS_HEADERS)


_DOCS_HEADERS = _policy(
    f"script-src 'self' {_hash_of_script(_DOCS)}",
    "style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles of its own
    "img-src 'self' data:",
    "connect-src 'self'",
)


@docs_router.api_route("/openapi.json", methods=["GET", "HEAD"])
def document(request: Request) -> Response:
    """Answer with the OpenAPI document; in a thread, since making it takes a fifth of a second."""
    app = request.app
    made: dict[str, Any] = app.openapi()
    below = request.scope.get("root_path", "").rstrip("/")
    servers = made.get("servers", [])
    if app.root_path_in_servers and below and all(server["url"] != below for server in servers):
        made = {**made, "servers": [{"url": below}, *servers]}
    return JSONResponse(made)


@docs_router.api_route("/docs/assets/{name}", methods=["GET", "HEAD"])
async def asset(name: str) -> Response:
    """Answer with a file of Swagger UI."""
    if name not in _ASSETS:
        raise HTTPException(404)
    path = str(files("fastapi_offline") / "static" / name)
    caching = {"Cache-Control": "public, max-age=3600"}
    return FileResponse(path, media_type=_ASSETS[name], headers=caching)


@front_router.api_route("/", methods=["GET", "HEAD"])
async def front(request: Request) -> Response:
    """Say where to go."""
    link = _LINK_TO_DOCS if request.app.settings.shows_docs else ""
    return HTMLResponse(_FRONT % link, headers=_policy("img-src data:"))
