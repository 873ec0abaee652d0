"""The service: a page for people, /docs for programmers, /healthz for the cluster."""

import html
import os
from pathlib import Path
from string import Template

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from .settings import settings

app = FastAPI(
    title=settings.title,
    description=settings.description,
    contact={"name": settings.author, "email": "name@example.org"},
)
page = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


@app.get("/", response_class=HTMLResponse, include_in_schema=False)
def home(request: Request) -> str:
    """A page that a person can look at."""
    return page.substitute(
        title=html.escape(settings.title),
        description=html.escape(settings.description),
        author=html.escape(settings.author),
        docs=html.escape(str(request.url_for("swagger_ui_html"))),
    )


@app.get("/healthz")
def health() -> dict[str, str]:
    """Answers while the service can work; the cluster restarts a pod where it does not."""
    if not os.access(settings.data_dir, os.W_OK):
        raise RuntimeError(f"cannot write to {settings.data_dir}")
    return {"status": "ok"}
