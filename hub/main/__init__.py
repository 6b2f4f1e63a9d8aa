"""The only wiring: settings and secrets in, a running hub out. Nobody else reads the environment, resolves a reference
or starts a server.

Imports everything but the command line. Third parties that live here: granian, opentelemetry (an extra).
`hub.main.serving` is loaded by who
serves: a command does not wait for servers, pages and workers.
"""

from hub.main.clock import new_id as new_id
from hub.main.clock import now as now
from hub.main.opening import RunningHub as RunningHub
from hub.main.opening import open_serving as open_serving
from hub.main.opening import open_vault as open_vault
from hub.main.opening import running as running
