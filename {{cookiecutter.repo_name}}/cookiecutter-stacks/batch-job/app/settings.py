"""What differs between places where the job runs, each from the environment variable of the same name."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    data_dir: Path = Path("data")
    # Which share is this process's, and of how many; Kubernetes numbers the pods of an Indexed Job.
    job_completion_index: int = Field(0, ge=0)
    job_completions: int = Field(1, ge=1)
    # So many failures without a single result mean that the fault is not in the items.
    give_up_after: int = Field(10, ge=1)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    seconds_between_progress_lines: float = 15
