"""A network link between workers and a broker that can be slow."""

from __future__ import annotations

import asyncio
import math
import threading

CHUNK = 64 << 10
STALLED = math.inf


class Link:
    """Passes bytes on between a port and the broker's. Each piece is held up for `delay` seconds, in both directions."""

    def __init__(self, port: int, broker_port: int):
        self.port = port
        self.broker_port = broker_port
        self.delay = 0.0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def start(self) -> None:
        self.thread.start()
        serving = asyncio.start_server(self.connect, "127.0.0.1", self.port)
        asyncio.run_coroutine_threadsafe(serving, self.loop).result()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self.broker_port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.pass_on(reader, broker_writer), self.pass_on(broker_reader, writer))

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK):
                await self.hold_up()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one side has gone; so the other one is closed
        finally:
            writer.close()

    async def hold_up(self) -> None:
        """As long as the delay says, which may change meanwhile."""
        began = self.loop.time()
        while self.loop.time() - began < self.delay:
            await asyncio.sleep(0.02)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
