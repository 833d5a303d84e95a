"""Redis stream: an entry per change, whose number is its place in all plans, so that it is added once."""

from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import redis
from pydantic import SecretStr
from pydantic_core import to_json

from lakehouse.activation.contract import Activation, RedisStream, secret_of
from lakehouse.activation.targets import Batch, Deliver, Unreachable, Unusable
from lakehouse.intraday.brokers import redis_streams
from lakehouse.settings import Settings

FIELD = "event"
# One batch, as a whole: entries above the stream's last one are added, and those that are there must be the same.
ADD = """
for place = 1, #ARGV, 2 do
  local number = ARGV[place]
  local there = redis.call('XRANGE', KEYS[1], number, number)
  if #there > 0 then
    if there[1][2][2] ~= ARGV[place + 1] then return redis.error_reply('FOREIGN ' .. number) end
  else
    local added = redis.pcall('XADD', KEYS[1], number, 'event', ARGV[place + 1])
    if type(added) == 'table' and added.err then return redis.error_reply('FOREIGN ' .. number) end
  end
end
return #ARGV / 2
"""


@contextmanager
def opened(settings: Settings, activation: Activation) -> Generator[Deliver]:
    """An entry's number is ``<plan>-<place in it>``: sent twice, it is the entry that is there already."""
    target = activation.target
    assert isinstance(target, RedisStream)
    url = secret_of(settings, target.credential)
    if urlsplit(url).scheme not in redis_streams.SCHEMES:
        raise Unusable(f"secret {target.credential} is no URL of Redis", "write redis://…, rediss://… or unix://…")
    client = redis_streams.client_of(SecretStr(url))
    add = client.register_script(ADD)

    def deliver(batch: Batch) -> list[int]:
        values: list[str | bytes] = []
        for place, event in enumerate(batch.events, batch.first + 1):
            values += [f"{batch.header['number']}-{place}", to_json(event)]
        try:
            add(keys=[target.stream], args=values)
        except redis.ResponseError as error:
            if "FOREIGN" in str(error) or "WRONGTYPE" in str(error):
                raise Unusable(
                    f"the stream {target.stream} has entries of somebody else, or is none",
                    "give this activation a stream of its own",
                ) from error
            raise Unreachable(f"stream {target.stream}: {error}") from error
        except redis.RedisError as error:
            raise Unreachable(f"stream {target.stream}: {type(error).__name__}") from error
        return []

    try:
        yield deliver
    finally:
        client.close()
