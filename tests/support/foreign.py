"""A workspace whose carrier speaks its own way: signed webhooks, their bodies, their acknowledgements."""

import json

from hub.catalog.scaffold.new_workspace import init

TRACK = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["waybillNo", "status", "time"],
    "properties": {
        "waybillNo": {"type": "string", "minLength": 4, "maxLength": 40},
        "status": {"enum": ["PICKED", "MOVING", "SIGNED"]},
        "time": {"type": "string", "maxLength": 40},
        "text": {"type": "string", "maxLength": 400},
    },
}
SYSTEM = """\
name: carrier
title: A carrier
owner: transport
emits:
  track.event:
    about: Something happened to a parcel.
    versions: {1: {state: current}}
    keys: {waybillNo: waybillNo}
    order_by: waybillNo
hooks:
  track-push:
    verify: {alg: md5, encode: HEX, over: "{form:param}{secret}", at: form:sign}
    read:   {from: "form:param", each: body.lastResult.data, emit: carrier/track.event@1, map: pushed--track-event, id: "body.lastResult.nu & '/' & time"}
    ack:    {status: 200, body: {result: true, returnCode: "200", message: ok}, otherwise: {status: 500, body: {result: false, returnCode: "500", message: again}}}
  topics:
    verify: {alg: hmac-sha256, encode: base64, over: "{body}", at: header:X-Hook-Hmac}
    read:
      - {when: "headers.`x-topic` = 'tracks/update'", emit: carrier/track.event@1, id: "headers.`x-id`"}
      - {when: "headers.`x-topic` = 'shop/update'", skip: nobody wants a shop's address}
  echo:
    verify: {alg: sha1, encode: hex, over: {sorted: ["{token}", "{timestamp}", "{nonce}"], join: ""}, at: {signature: query:signature, timestamp: query:timestamp, nonce: query:nonce}}
    handshake: {when: "method = 'GET'", signed: true, body: "{query:echostr}"}
    read: {emit: carrier/track.event@1}
    ack: {body: success}
  challenge:
    verify: {alg: sha1, encode: hex, over: "{secret}{body}", at: header:X-Sign}
    handshake: {when: "body.event = 'verify_webhook'", body: {challenge: "{json:content.challenge}"}}
    read: {from: "json:msg", emit: carrier/track.event@1, id: id}
    ack: {body: {code: 0, msg: success}}
  inside:
    verify: {alg: none}
    peers: [198.51.100.0/24]
    read: {emit: carrier/track.event@1}
  sealed:
    source: adapter
    ack: {status: 204}
auth:
  inbound: {scheme: hub-signature}
settings:
  secret: {help: What the carrier signs with, secret: true}
  token: {help: What the carrier signs its messages with, secret: true}
"""
MAPPING = """\
from: pushed
to: carrier/track.event@1
fields:
  waybillNo: body.lastResult.nu
  status: {table: state, of: status}
  time: time
  text: {when: context, value: context}
tables:
  state: {"0": MOVING, "1": PICKED, "3": SIGNED}
examples:
  - given: {time: "2025-11-22 10:00:00", status: "3", context: signed, body: {lastResult: {nu: SF1000}}}
    exactly: {waybillNo: SF1000, status: SIGNED, time: "2025-11-22 10:00:00", text: signed}
"""
ADAPTER = '''\
"""The carrier's sealed pushes: AES-GCM, opened before anything is read."""

from hub.core import json
from hub.core.message import Incoming, Ref
from hub.kit.proof import open_gcm


class Sealed:
    def __init__(self, values):
        self._key = values["secret"].encode().ljust(32, b"0")[:32]

    def read(self, request):
        given = json.decode(request.body)
        plain = open_gcm(self._key, given["nonce"], "", given["sealed"])
        yield Incoming(Ref("carrier", "track.event", 1), json.decode(plain), plain, "", given["id"])


SOURCES = {"sealed": Sealed}
'''
ROUTE = """\
  tracks:
    about: What happens to a parcel, for the warehouse.
    owner: transport
    from: carrier/track.event
    to: [warehouse/track.note]
"""
ACCEPTS = """\
  track.note:
    about: What happened to a parcel.
    versions: {1: {state: current}}
    call: POST /tracks
"""
NOTE = """\
from: carrier/track.event@1
to: warehouse/track.note@1
fields: {waybillNo: waybillNo, status: status, time: time}
examples:
  - given: adapters/carrier/samples/track.event.v1/signed.json
    expect: {status: SIGNED}
"""


def foreign_workspace(folder, sink_url="http://127.0.0.1:9001"):
    """The scaffold's two systems and a carrier with hooks of every kind."""
    init(folder)
    carrier = folder / "adapters" / "carrier"
    (carrier / "contracts").mkdir(parents=True)
    (carrier / "samples" / "track.event.v1").mkdir(parents=True)
    (carrier / "system.yaml").write_text(SYSTEM, "utf-8")
    (carrier / "adapter.py").write_text(ADAPTER, "utf-8")
    (carrier / "contracts" / "track.event.v1.json").write_text(json.dumps(TRACK), "utf-8")
    sample = {"waybillNo": "SF1000", "status": "SIGNED", "time": "2025-11-22T10:00:00+08:00"}
    (carrier / "samples" / "track.event.v1" / "signed.json").write_text(json.dumps(sample), "utf-8")
    (folder / "mappings" / "pushed--track-event.yaml").write_text(MAPPING, "utf-8")
    (folder / "mappings" / "carrier.track.event.v1--warehouse.track.note.v1.yaml").write_text(NOTE, "utf-8")
    warehouse = folder / "adapters" / "warehouse"
    (warehouse / "contracts" / "track.note.v1.json").write_text(json.dumps(TRACK), "utf-8")
    system = warehouse / "system.yaml"
    system.write_text(
        system.read_text("utf-8").replace("auth:\n", ACCEPTS + "auth:\n").replace("http://127.0.0.1:9001", sink_url),
        "utf-8",
    )
    routes = folder / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").rstrip("\n") + "\n" + ROUTE, "utf-8")
    return folder
