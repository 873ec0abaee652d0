import html
import json
import logging.config

import pytest
from fastapi.testclient import TestClient

from app.__main__ import LOGGING
from app.main import app
from app.settings import settings


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "data_dir", tmp_path)
    return TestClient(app)


def test_the_page_shows_the_name_and_nothing_in_it_is_markup(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert f"<h1>{html.escape(settings.title)}</h1>" in answer.text


def test_it_says_that_it_is_well(client):
    assert client.get("/healthz").json() == {"status": "ok"}


def test_the_documentation_is_served(client):
    assert client.get("/docs").status_code == 200
    assert client.get("/openapi.json").json()["info"]["title"] == settings.title


def test_a_log_line_is_json(capsys):
    logging.config.dictConfig(LOGGING)
    logging.getLogger("app").warning("a line with %s", '"quotes"')
    assert json.loads(capsys.readouterr().out)["message"] == 'a line with "quotes"'
