"""A Parkwatt market, as a client in Python sees it: a node's services, and a person who signs.

Signed are exactly the bytes that are sent, in DSSE's pre-authentication encoding: nothing is ever encoded twice.
"""

import base64
from pathlib import Path

import grpc
from nacl.signing import SigningKey
from parkwatt.v1 import (account_pb2, account_pb2_grpc, command_pb2, exchange_pb2_grpc, execution_pb2,
                         market_data_pb2, market_data_pb2_grpc, simulation_pb2_grpc)


class Refused(Exception):
    """A rule of the market refused a command; the ledger records that, too."""


class Market:
    """A node: one channel, and the services of the contract."""

    def __init__(self, url):
        channel = grpc.insecure_channel(url.removeprefix("http://"))
        self.exchange = exchange_pb2_grpc.ExchangeStub(channel)
        self.account = account_pb2_grpc.AccountStub(channel)
        self.time = simulation_pb2_grpc.SimulationStub(channel)
        self.data = market_data_pb2_grpc.MarketDataStub(channel)

    def now(self):
        """The market's time in microseconds, its name, and how many entries its ledger has."""
        it = self.data.GetMarket(market_data_pb2.GetMarketRequest())
        return it.now_micros, it.genesis.market, it.tree_size


class Person:
    """Somebody with a key."""

    def __init__(self, market, key=None):
        self.market, self.key, self.nonce = market, key or SigningKey.generate(), 0
        self.public_key = bytes(self.key.verify_key)

    def seal(self, payload, kind):
        type_ = f"application/vnd.parkwatt.{kind}.v1+protobuf"
        signed = f"DSSEv1 {len(type_)} {type_} {len(payload)} ".encode() + payload
        return dict(payload=payload, public_key=self.public_key, signature=self.key.sign(signed).signature)

    def command(self, **asked):
        """What is asked, under the next nonce, good for an hour."""
        now, name, _ = self.market.now()
        self.nonce = max(now, self.nonce + 1)
        command = command_pb2.Command(market=name, nonce=self.nonce, expires_at_micros=now + 3_600_000_000, **asked)
        return command_pb2.SignedCommand(**self.seal(command.SerializeToString(), "command"))

    def ask(self, **asked):
        """Hands a command in. The answer is durable; a rule's no is an answer, too."""
        receipt = self.market.exchange.Submit(self.command(**asked))
        if receipt.outcome.HasField("rejected"):
            raise Refused(f"rule {receipt.outcome.rejected.rule}: {receipt.outcome.rejected.sentence}")
        return receipt

    def session(self):
        """The word under which he reads what is his alone: ten minutes of the market's time."""
        now, name, _ = self.market.now()
        session = account_pb2.Session(market=name, expires_at_micros=now + 600_000_000).SerializeToString()
        signed = account_pb2.SignedSession(**self.seal(session, "session"))
        return (("parkwatt-session-bin", signed.SerializeToString()),)

    def statement(self):
        """His account."""
        return self.market.account.GetAccount(account_pb2.GetAccountRequest(), metadata=self.session())

    def executions(self, first, until=None):
        """What becomes of his orders, from an entry of the ledger on: as it happens, or until another entry."""
        request = execution_pb2.StreamExecutionsRequest(from_index=first, until_index=until)
        return self.market.account.StreamExecutions(request, metadata=self.session())


def operator(market, file):
    """The operator, whose PKCS#8 file ends with the 32 bytes of an Ed25519 key."""
    body = "".join(line for line in Path(file).read_text().splitlines() if not line.startswith("-"))
    return Person(market, SigningKey(base64.b64decode(body)[-32:]))
