"""How the server starts in the image; read by Jupyter, which defines `c`."""

import os
import shutil
import site
from pathlib import Path

HOME = Path.home()
SHIPPED = Path("/srv/notebooks")

# The repository's notebooks appear beside the user's own; one that is there already is kept.
for source in sorted(SHIPPED.rglob("*")):
    target = HOME / "notebooks" / source.relative_to(SHIPPED)
    if source.is_file() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

# A kernel looks where %pip installs only if that folder was there when it started.
Path(site.getusersitepackages()).mkdir(parents=True, exist_ok=True)

c = get_config()  # noqa: F821
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = int(os.environ["PORT"])
# With the service account anyuid the image may be made to run as root.
c.ServerApp.allow_root = True
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.root_dir = str(HOME)
# Behind the route the scheme and the client's address are in the headers that the router writes.
c.ServerApp.trust_xheaders = True
# Taken out of the environment, so that no notebook shows it by listing its own; without one, Jupyter makes one for this run.
token = os.environ.pop("JUPYTER_TOKEN", "")
if token:
    c.IdentityProvider.token = token
