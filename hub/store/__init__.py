"""The truth: messages, deliveries, attempts. The only SQL in the house.

Imports hub.core and hub.settings. No connection and no row object leaves this package; verbs take batches. Third parties that live
here: sqlalchemy, alembic (psycopg and pymysql by way of sqlalchemy).
"""

from hub.store.acts import Act as Act
from hub.store.acts import Verdict as Verdict
from hub.store.archive import Archive as Archive
from hub.store.archive import Archived as Archived
from hub.store.archive import BadArchive as BadArchive
from hub.store.arrivals import Refusal as Refusal
from hub.store.arrivals import RefusedCause as RefusedCause
from hub.store.arrivals import RefusedRow as RefusedRow
from hub.store.arrivals import Wanted as Wanted
from hub.store.bounds import Bounds as Bounds
from hub.store.clusters import Waiting as Waiting
from hub.store.commit import GroupCommit as GroupCommit
from hub.store.conservation import Conservation as Conservation
from hub.store.doubt import Cleared as Cleared
from hub.store.in_hand import InHand as InHand
from hub.store.keys import KeyRow as KeyRow
from hub.store.leader import Lead as Lead
from hub.store.leader import NotLeading as NotLeading
from hub.store.lookups import Lookup as Lookup
from hub.store.measures import Backlog as Backlog
from hub.store.minutes import Beat as Beat
from hub.store.minutes import Flowed as Flowed
from hub.store.parts import Part as Part
from hub.store.pauses import Pause as Pause
from hub.store.people import Session as Session
from hub.store.people import User as User
from hub.store.pins import Pin as Pin
from hub.store.processes import Process as Process
from hub.store.prune import BLOCK as BLOCK
from hub.store.prune import Gone as Gone
from hub.store.prune import Page as Page
from hub.store.prune import Place as Place
from hub.store.reading import AttemptRow as AttemptRow
from hub.store.reading import DeliveryRow as DeliveryRow
from hub.store.reading import MessageRow as MessageRow
from hub.store.reading import OriginRow as OriginRow
from hub.store.repairing import Step as Step
from hub.store.repairs import RepairedRow as RepairedRow
from hub.store.repairs import RepairRow as RepairRow
from hub.store.revisions import Activation as Activation
from hub.store.revisions import Outdated as Outdated
from hub.store.store import Store as Store
from hub.store.store import open_store as open_store
from hub.store.unrouted import UnroutedLine as UnroutedLine
from hub.store.unrouted import UnroutedRow as UnroutedRow
from hub.store.unrouted import Wished as Wished
from hub.store.usage import Used as Used
from hub.store.views import View as View
