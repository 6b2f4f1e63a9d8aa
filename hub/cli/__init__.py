"""The command line: `hub`.

Imports everything. Third parties that live here: click, rich. `--json` never meets rich.
"""

from hub.cli.commands import main as main
