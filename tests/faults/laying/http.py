"""Points in HTTP: the lines of the one client, and what the front answers."""

import pycurl

from hub.http.partner.front import Front
from hub.kit.http.call import HttpResult
from hub.kit.http.curl_handle import CurlHandle
from hub.kit.http.sender import Sender


def lay_http(wounds):
    _lay_answers(wounds)
    stream = Sender.stream

    def stream_(sender, calls, *given, **named):
        methods = []  # by a call's number: each is made when its turn comes

        def noted():
            for call in calls:
                methods.append(call.method)
                yield call

        for index, done in stream(sender, noted(), *given, **named):
            port = "target.send" if methods[index] == "POST" else "target.probe"
            is_told = done.kind == "ok" and wounds.fails(port)
            yield index, HttpResult("no_answer", sent=True, error="timed out") if is_told else done

    Sender.stream = stream_
    if wounds.has("send.connected", "send.half", "send.sent", "send.answered"):
        _lay_lines(wounds)


def _lay_lines(wounds):
    line = CurlHandle
    load, before, finish = line.load, line._before_request, line.done

    def load_(self, call):
        load(self, call)
        self.is_post = call.method == "POST"
        if self.is_post and wounds.has("send.half"):
            _send_by_halves(self.handle, call.body, lambda: wounds.reach("send.half"))
        if self.is_post and wounds.has("send.sent"):
            size = len(call.body)
            self.handle.setopt(pycurl.NOPROGRESS, 0)
            self.handle.setopt(
                pycurl.XFERINFOFUNCTION,
                lambda _all, down, _up, up: (
                    wounds.reach("send.sent") if up >= size and not down and not self._headers else None
                ),
            )

    def before_(self, *given):
        if self.is_post:
            wounds.reach("send.connected")
        return before(self, *given)

    def done_(self, *given):
        done = finish(self, *given)
        if self.is_post and done.kind == "ok":
            wounds.reach("send.answered")
        return done

    line.load, line._before_request, line.done = load_, before_, done_


def _send_by_halves(handle, body, at_half):
    """The body as libcurl asks for it: the first half, then we are there, then the rest."""
    parts = iter([body[: len(body) // 2], body[len(body) // 2 :]])
    given = []

    def read(_most):
        if len(given) == 1:
            at_half()
        given.append(next(parts, b""))
        return given[-1]

    handle.setopt(pycurl.UPLOAD, 1)
    handle.setopt(pycurl.CUSTOMREQUEST, "POST")
    handle.setopt(pycurl.INFILESIZE, len(body))
    handle.setopt(pycurl.READFUNCTION, read)


def _lay_answers(wounds):
    answered = Front._http

    async def http_(front, scope, receive, send):
        status = [0]

        async def send_(message):
            status[0] = message.get("status", status[0])
            body = message.get("body", b"")
            if status[0] == 202 and len(body) > 1 and wounds.has("answer.half"):
                await send({**message, "body": body[: len(body) // 2], "more_body": True})
                wounds.reach("answer.half")
                message = {**message, "body": body[len(body) // 2 :]}
            await send(message)

        await answered(front, scope, receive, send_)

    Front._http = http_
