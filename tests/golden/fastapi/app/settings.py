"""What differs between places where the service runs, each from the environment variable of the same name."""

from pathlib import Path

from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    title: str = "My DSRI project"
    description: str = "A containerised application on DSRI."
    author: str = "Institute of Data Science"
    port: int = int("8080")
    log_level: str = "INFO"
    data_dir: Path = Path("data")
    # The router stands in one of these networks; only from there X-Forwarded-* is believed.
    forwarded_allow_ips: str = "127.0.0.1,::1,10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16"


settings = Settings()
