"""What differs between places where the service runs, each from the environment variable of the same name."""

#% if cookiecutter.storage != "none"
from pathlib import Path

#% endif
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    title: str = "{{ cookiecutter.__escaped.project_name }}"
    description: str = "{{ cookiecutter.__escaped.description }}"
    author: str = "{{ cookiecutter.__escaped.full_name }}"
    port: int = int("{{ cookiecutter.port }}")
    log_level: str = "INFO"
    #% if cookiecutter.storage != "none"
    data_dir: Path = Path("data")
    #% endif
    # The router stands in one of these networks; only from there X-Forwarded-* is believed.
    forwarded_allow_ips: str = "127.0.0.1,::1,10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16"


settings = Settings()
