"""What a user would otherwise have: Flask, jsonschema, a commit per post, and one `requests.post` per message from a
thread of the same process.
"""

import logging
import queue
import sqlite3
import sys
import threading

import jsonschema
import requests
from flask import Flask, request
from werkzeug.serving import make_server

from hub.catalog.scaffold.new_workspace import FILES
from hub.core import json

SCHEMA = json.decode(FILES["adapters/shop/contracts/order.placed.v1.json"].encode())


def make(path, target):
    app = Flask("peer")
    database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE message (id INTEGER PRIMARY KEY, body BLOB)")
    lock, waiting = threading.Lock(), queue.Queue()
    validator = jsonschema.Draft202012Validator(SCHEMA)

    @app.post("/post")
    def post():
        validator.validate(request.get_json())
        with lock:
            database.execute("INSERT INTO message (body) VALUES (?)", (request.get_data(),))
        waiting.put(request.get_data())
        return {"code": 0}, 202

    def deliver():
        session = requests.Session()
        while True:
            session.post(target, data=waiting.get(), headers={"content-type": "application/json"}, timeout=5)

    for _ in range(4):
        threading.Thread(target=deliver, daemon=True).start()
    return app


if __name__ == "__main__":
    port, path, target = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", port, make(path, target), threaded=True)
    print("peer is ready", flush=True)
    server.serve_forever()
