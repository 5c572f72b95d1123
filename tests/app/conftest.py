"""The app's modules import each other as the page does: from the folder `app`."""

import sys
from pathlib import Path

APP = str(Path(__file__).parents[2] / "app")
if APP not in sys.path:
    sys.path.insert(0, APP)
