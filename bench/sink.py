"""The receiving target: answers 200 to whatever is posted, counts it, and tells the count at GET /count.

python bench/sink.py PORT [BODY] (the body of each answer; {} without)
"""

import asyncio
import sys


class Sink(asyncio.Protocol):
    count = 0
    answer = b"{}"

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = b""

    def data_received(self, data):
        self.buffer += data
        while True:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            low = head.lower()
            at = low.find(b"content-length:")
            length = int(low[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            body = Sink.answer
            if head.startswith(b"GET"):
                body = str(Sink.count).encode()
            else:
                Sink.count += 1
            self.transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
            )


async def main(port):
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, backlog=512)
    print("sink is ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    Sink.answer = sys.argv[2].encode() if len(sys.argv) > 2 else Sink.answer
    asyncio.run(main(int(sys.argv[1])))
