"""A factory's day in a Parkwatt market: python factory.py http://127.0.0.1:7400 parkwatt-data/operator.pem

It buys the next day quarter hour by quarter hour under one signature, hears of its executions as they become durable,
and claims the certificates of what was delivered. So that somebody sells and something is measured, the script also
plays a roof, both meters and the operator, in a market that runs on simulated time.
"""

import math
import sys
from collections import Counter

from market import Market, Person, operator
from parkwatt.v1 import command_pb2 as c, simulation_pb2

QUARTER, DAY = 900, 96  # seconds of a delivery slot, slots of a day
NEED_WH = 2_000         # what the factory draws in each quarter hour
BID, OFFER = 600_000, 420_000  # micro-yuan per kWh: the bid all-in, the offer net


def enrol(boss, name, role, **capacities):
    """Enrols somebody with a meter, and pays 1,000 yuan in."""
    person, meter = Person(boss.market), Person(boss.market)
    boss.ask(enrol_participant=c.EnrolParticipant(
        name=name, public_key=person.public_key, meter_public_key=meter.public_key, zone="park", roles=[role],
        **capacities))
    boss.ask(deposit=c.Deposit(participant=name, amount_fen=100_000))
    return person, meter


def sun(slot):
    """What the roof delivers in a quarter hour, in Wh: a clear day, noon at 04:00 UTC."""
    hours = (slot * QUARTER / 3600 - 4 + 12) % 24 - 12
    return int(1_900 * max(0.0, math.cos(hours / 6.5 * math.pi / 2))) if abs(hours) < 6.5 else 0


def schedule(side, price, energies):
    """Orders for many quarter hours under one signature."""
    return c.PlaceOrders(orders=[c.NewOrder(side=side, slot=slot, limit_price_micros_per_kwh=price, energy_wh=energy)
                                 for slot, energy in energies.items() if energy > 0])


def main(url, operator_key):
    market = Market(url)
    boss = operator(market, operator_key)
    roof, roof_meter = enrol(boss, "sunny-roof", c.ROLE_PRODUCER, pv_capacity_w=8_000, connection_capacity_w=8_000)
    mill, mill_meter = enrol(boss, "mill", c.ROLE_CONSUMER, connection_capacity_w=40_000)

    now, _, size = market.now()
    first = now // 1_000_000 // QUARTER + 4
    offered = {slot: sun(slot) for slot in range(first, first + DAY)}
    needed = {slot: NEED_WH for slot in offered}
    roof.ask(place_orders=schedule(c.SIDE_OFFER, OFFER, offered))

    live = mill.executions(size)  # Open before the order, so that it is told as it happens.
    receipt = mill.ask(place_orders=schedule(c.SIDE_BID, BID, needed))
    print(f"The mill asks for {NEED_WH / 1000} kWh in each of {DAY} quarter hours: entry {receipt.leaf_index}.")
    fills = []
    while len(fills) < len(receipt.trades):
        execution = next(live)
        seen = execution.leaf_index
        if execution.HasField("filled"):
            fills.append(execution.filled.trade)
    live.cancel()
    assert [trade.id for trade in fills] == [trade.id for trade in receipt.trades]
    print(f"At once it bought {sum(it.energy_wh for it in fills) / 1000} kWh in {len(fills)} trades; more may follow.")

    # A day passes. The meters read what went through them, and each quarter hour is settled.
    fed_in = drawn = 0
    for counter, slot in enumerate(range(first - 1, first + DAY), start=1):
        fed_in, drawn = fed_in + offered.get(slot, 0), drawn + needed.get(slot, 0)
        end = (slot + 1) * QUARTER * 1_000_000
        market.time.AdvanceTo(simulation_pb2.AdvanceToRequest(to_micros=end))
        reading = dict(read_at_micros=end, counter=counter, quality=c.QUALITY_MEASURED)
        roof_meter.ask(submit_reading=c.SubmitReading(export_register_wh=fed_in, **reading))
        mill_meter.ask(submit_reading=c.SubmitReading(import_register_wh=drawn, **reading))

    # The stream goes on behind what was read, whatever happened meanwhile: nothing is missing, nothing is there twice.
    received = Counter()
    for execution in mill.executions(seen + 1, market.now()[2]):
        if execution.HasField("filled"):
            fills.append(execution.filled.trade)
        if execution.HasField("certificate_sliced"):
            received[execution.certificate_sliced.certificate.slot] += execution.certificate_sliced.energy_wh
    bought = sum(trade.energy_wh for trade in fills)
    statement = mill.statement()
    assert bought == statement.bought_wh == sum(received.values()) == sum(offered.values())
    print(f"Of the day's {NEED_WH * DAY / 1000} kWh {bought / 1000} came over the wall; "
          f"the account stands at {statement.balance_yuan} yuan.")

    for slot, energy in received.items():
        mill.ask(retire_certificates=c.RetireCertificates(
            slot=slot, energy_wh=energy, consumption_slot=slot, beneficiary="Mill No. 3", purpose="made with sunlight"))
    claimed = mill.statement()
    assert claimed.certificates_retired_wh == bought and claimed.certificates_held_wh == 0
    print(f"Certificates of {bought / 1000} kWh are claimed for Mill No. 3, quarter hour by quarter hour.")


if __name__ == "__main__":
    main(*sys.argv[1:])
