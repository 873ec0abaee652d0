"""Starts the service: python -m app. SIGTERM ends it after the requests that are under way."""

import logging.config

import uvicorn

from .settings import settings

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "class": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        }
    },
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        }
    },
    "root": {"level": settings.log_level.upper(), "handlers": ["stdout"]},
}

if __name__ == "__main__":
    logging.config.dictConfig(LOGGING)
    #% if cookiecutter.storage != "none"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    #% endif
    uvicorn.run(
        "app.main:app",
        host="0.0.0.0",
        port=settings.port,
        log_config=None,
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_graceful_shutdown=20,
    )
