"""The truth: messages, deliveries, attempts. The only SQL in the house.

Imports hub.core and hub.settings. No connection and no row object leaves this package; verbs take batches. Third
parties that live
here: sqlalchemy, alembic (psycopg and pymysql by way of sqlalchemy).
"""

from hub.store.accounts.acts import Act as Act
from hub.store.accounts.acts import Verdict as Verdict
from hub.store.accounts.keys import KeyRow as KeyRow
from hub.store.accounts.leader import Lead as Lead
from hub.store.accounts.leader import NotLeading as NotLeading
from hub.store.accounts.people import Session as Session
from hub.store.accounts.people import User as User
from hub.store.accounts.revisions import Activation as Activation
from hub.store.accounts.revisions import RevisionConflict as RevisionConflict
from hub.store.commit import GroupCommit as GroupCommit
from hub.store.messages.in_doubt import ProbeOutcome as ProbeOutcome
from hub.store.messages.in_hand import InFlightDelivery as InFlightDelivery
from hub.store.messages.lookups import Lookup as Lookup
from hub.store.messages.pauses import Pause as Pause
from hub.store.messages.pins import Pin as Pin
from hub.store.queries.clusters import ClusterBacklog as ClusterBacklog
from hub.store.queries.conservation import Conservation as Conservation
from hub.store.queries.details import AttemptRow as AttemptRow
from hub.store.queries.details import DeliveryRow as DeliveryRow
from hub.store.queries.details import MessageRow as MessageRow
from hub.store.queries.details import OriginRow as OriginRow
from hub.store.queries.measures import Backlog as Backlog
from hub.store.queries.processes import Process as Process
from hub.store.queries.throughput import MinuteCount as MinuteCount
from hub.store.queries.throughput import ThroughputRow as ThroughputRow
from hub.store.queries.unrouted import UnroutedLine as UnroutedLine
from hub.store.queries.unrouted import UnroutedOrder as UnroutedOrder
from hub.store.queries.unrouted import UnroutedRow as UnroutedRow
from hub.store.queries.usage import UsageCount as UsageCount
from hub.store.queries.views import View as View
from hub.store.repairs.advance import Step as Step
from hub.store.repairs.arrival_limits import Bounds as Bounds
from hub.store.repairs.arrivals import ArrivalFilter as ArrivalFilter
from hub.store.repairs.arrivals import Refusal as Refusal
from hub.store.repairs.arrivals import RefusedCause as RefusedCause
from hub.store.repairs.arrivals import RefusedRow as RefusedRow
from hub.store.repairs.repairs import RepairedRow as RepairedRow
from hub.store.repairs.repairs import RepairRow as RepairRow
from hub.store.retention.archive import Archive as Archive
from hub.store.retention.archive import ArchiveFile as ArchiveFile
from hub.store.retention.archive import BadArchive as BadArchive
from hub.store.retention.partitions import Part as Part
from hub.store.retention.prune import BLOCK as BLOCK
from hub.store.retention.prune import Gone as Gone
from hub.store.retention.prune import Page as Page
from hub.store.retention.prune import Place as Place
from hub.store.store import Store as Store
from hub.store.store import open_store as open_store
