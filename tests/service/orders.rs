//! Orders with conditions, their changes and the auction, as their owners and everybody see them.

use parkwatt_proto::v1::{
    self, AuctionCleared, CancelOrders, LapseCause, ListEntriesRequest, NewOrder, OrderId, OrderState,
    PlaceOrders, Receipt, ReplaceOrder, Side, SignedSession, TimeInForce, command::Kind, leaf::Fact,
    list_entries_request::About, order_answer, outcome::Kind as Outcome, posting::Purpose,
};
use prost::Message;

use super::{
    market::{LIMIT, Market, NOW_MICROS, Person, SLOT, order, outcome, place},
    node,
};

const MINUTE: u64 = 60_000_000;

async fn ask(market: &Market, who: &mut Person, kind: Kind) -> Receipt {
    market.connection.submit(who.sign(kind)).await.unwrap()
}

/// Places one order, and returns its name, or the code of the rule that refused it, with the receipt.
async fn place_one(market: &Market, who: &mut Person, order: NewOrder) -> (Result<OrderId, String>, Receipt) {
    let receipt = ask(market, who, place(&[order])).await;
    let Outcome::Placed(placed) = outcome(receipt.clone()) else { panic!("{receipt:?}") };
    let answer = match placed.orders[0].kind.clone().unwrap() {
        order_answer::Kind::Accepted(id) => Ok(id),
        order_answer::Kind::Rejected(why) => Err(why.code),
    };
    (answer, receipt)
}

/// Returns a session that is valid for ten minutes from the market's time on.
async fn session(market: &Market, who: &Person) -> SignedSession {
    let now = market.connection.market("").await.unwrap().now_micros;
    who.session("park", i64::try_from((now - NOW_MICROS) / 1_000_000).unwrap() + 600)
}

/// Returns the caller's orders, newest first: what has traded of each, and its state.
async fn states(market: &Market, who: &Person) -> Vec<(u64, OrderState)> {
    let orders = market.connection.orders(&session(market, who).await, false, 100).await.unwrap();
    orders.iter().map(|it| (it.traded_wh, it.state())).collect()
}

async fn reserved(market: &Market, who: &Person) -> String {
    market.connection.account(&session(market, who).await).await.unwrap().reserved_yuan
}

/// Returns the facts about something, as the operator reads them.
async fn facts(market: &Market, about: About) -> Vec<Fact> {
    let request = ListEntriesRequest { about: Some(about), count: 1_000, ..ListEntriesRequest::default() };
    let entries = market.connection.entries(&session(market, &market.operator).await, request).await.unwrap();
    entries.entries.iter().map(|leaf| v1::Leaf::decode(leaf.as_slice()).unwrap().fact.unwrap()).collect()
}

fn at_twice(energy_wh: u64, time_in_force: TimeInForce) -> NewOrder {
    let limit_price_micros_per_kwh = 2 * LIMIT;
    NewOrder {
        limit_price_micros_per_kwh,
        energy_wh,
        time_in_force: time_in_force.into(),
        ..order(Side::Bid)
    }
}

#[tokio::test]
async fn what_an_immediate_order_does_not_find_lapses_and_everybody_it_concerns_is_told() {
    let mut market = Market::found().await;
    let (mut ann, mut eve) = (market.enrol_trader("ann").await, market.enrol_trader("eve").await);
    place_one(&market, &mut eve, order(Side::Offer)).await.0.unwrap();

    let killed = place_one(&market, &mut ann, at_twice(1_500, TimeInForce::FillOrKill)).await;
    assert_eq!(killed.0, Err("MINIMUM_FILL_MUST_BE_REACHED".into()));
    let least = NewOrder { minimum_fill_wh: 1_001, ..at_twice(1_500, TimeInForce::Unspecified) };
    assert_eq!(place_one(&market, &mut ann, least).await.0, Err("MINIMUM_FILL_MUST_BE_REACHED".into()));
    let post = NewOrder { post_only: true, ..at_twice(1_500, TimeInForce::GoodUntilGate) };
    assert_eq!(place_one(&market, &mut ann, post).await.0, Err("POST_ONLY_MUST_NOT_TRADE".into()));
    assert_eq!(reserved(&market, &ann).await, "0.000000000");

    let asked = ann.sign(place(&[at_twice(1_500, TimeInForce::ImmediateOrCancel)]));
    let receipt = market.connection.submit(asked.clone()).await.unwrap();
    let [lapsed] = receipt.lapsed[..] else { panic!("{receipt:?}") };
    let id = OrderId { index: receipt.leaf_index, position: 0 };
    assert_eq!((lapsed.order, lapsed.energy_wh, lapsed.slot), (Some(id), 500, SLOT.0));
    assert_eq!((lapsed.cause(), lapsed.owner), (LapseCause::Immediate, 0));
    assert_eq!(receipt.trades[0].energy_wh, 1_000);
    // The trade at 0.50, 0.05 for wheeling and 0.002 for the market stay reserved, and nothing of what
    // lapsed.
    assert_eq!(reserved(&market, &ann).await, "0.552000000");
    assert_eq!(states(&market, &ann).await, [(1_000, OrderState::Lapsed)]);
    assert!(market.connection.depth("", SLOT.0).await.unwrap().bids.is_empty());

    let again = market.connection.submit(asked).await.unwrap();
    assert_eq!(again, Receipt { repeated_command: true, ..receipt });
    for about in [About::Order(id), About::Participant(0), About::Slot(SLOT.0)] {
        assert!(facts(&market, about).await.contains(&Fact::OrderLapsed(lapsed)), "{about:?}");
    }
    assert!(!facts(&market, About::Participant(1)).await.contains(&Fact::OrderLapsed(lapsed)));
}

#[tokio::test]
async fn an_order_that_is_good_until_a_moment_leaves_the_book_then() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let good_until_micros = NOW_MICROS + 10 * MINUTE;
    let bid = NewOrder { good_until_micros, ..at_twice(1_000, TimeInForce::GoodUntil) };
    let past = NewOrder { good_until_micros: 5, ..bid };
    assert_eq!(place_one(&market, &mut ann, past).await.0, Err("GOOD_UNTIL_MUST_BE_IN_THE_FUTURE".into()));
    let id = place_one(&market, &mut ann, bid).await.0.unwrap();
    let shown = market.connection.orders(&session(&market, &ann).await, true, 10).await.unwrap();
    assert_eq!(shown[0].order, Some(bid));

    market.connection.advance_to("", good_until_micros).await.unwrap();
    assert_eq!(states(&market, &ann).await, [(0, OrderState::Expired)]);
    assert_eq!(reserved(&market, &ann).await, "0.000000000");
    let facts = facts(&market, About::Order(id)).await;
    let [Fact::OrderLapsed(lapsed)] = &facts[..] else { panic!("{facts:?}") };
    assert_eq!((lapsed.energy_wh, lapsed.cause()), (1_000, LapseCause::Expired));
}

#[tokio::test]
async fn an_all_or_none_schedule_is_placed_whole_or_refused_whole() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let whole = |orders: Vec<NewOrder>| Kind::PlaceOrders(PlaceOrders { orders, all_or_none: true });
    let next = NewOrder { slot: SLOT.0 + 1, ..order(Side::Offer) };
    let bad = NewOrder { energy_wh: 10_001, ..next };
    for (orders, codes) in [
        (vec![order(Side::Offer), bad], ["SCHEDULE_MUST_HOLD_WHOLE", "OFFER_MUST_BE_DELIVERABLE"]),
        (vec![order(Side::Offer), next], ["", ""]),
    ] {
        let Outcome::Placed(placed) = outcome(ask(&market, &mut ann, whole(orders)).await) else {
            panic!("an answer to orders")
        };
        let code = |it: &v1::OrderAnswer| match it.kind.clone().unwrap() {
            order_answer::Kind::Accepted(_) => String::new(),
            order_answer::Kind::Rejected(why) => why.code,
        };
        assert_eq!(placed.orders.iter().map(code).collect::<Vec<_>>(), codes);
    }
    assert_eq!(states(&market, &ann).await, [(0, OrderState::Open); 2]);
}

#[tokio::test]
async fn a_replaced_order_keeps_its_place_or_leaves_it_to_a_new_one() {
    let mut market = Market::found().await;
    let (mut ann, mut eve) = (market.enrol_trader("ann").await, market.enrol_trader("eve").await);
    let id = place_one(&market, &mut ann, at_twice(2_000, TimeInForce::Unspecified)).await.0.unwrap();
    let sold = NewOrder { energy_wh: 500, ..order(Side::Offer) };
    place_one(&market, &mut eve, sold).await.0.unwrap();

    let replace = |energy_wh, limit_price_micros_per_kwh| {
        Kind::ReplaceOrder(ReplaceOrder { order: Some(id), limit_price_micros_per_kwh, energy_wh })
    };
    let Outcome::Rejected(why) = outcome(ask(&market, &mut ann, replace(500, 2 * LIMIT)).await) else {
        panic!("500 Wh have traded")
    };
    assert_eq!((&*why.code, &*why.field), ("ENERGY_MUST_EXCEED_WHAT_HAS_TRADED", "energy_wh"));
    let kept = outcome(ask(&market, &mut ann, replace(1_200, 2 * LIMIT)).await);
    assert_eq!(kept, Outcome::Replaced(id));
    assert_eq!(market.connection.depth("", SLOT.0).await.unwrap().bids[0].energy_wh, 700);

    let receipt = ask(&market, &mut ann, replace(1_200, 3 * LIMIT)).await;
    let new = OrderId { index: receipt.leaf_index, position: 0 };
    assert_eq!(outcome(receipt), Outcome::Replaced(new));
    let orders = market.connection.orders(&session(&market, &ann).await, false, 10).await.unwrap();
    let shown: Vec<_> = orders
        .iter()
        .map(|it| (it.id.unwrap(), it.order.unwrap().energy_wh, it.traded_wh, it.state()))
        .collect();
    assert_eq!(shown, [(new, 700, 0, OrderState::Open), (id, 1_200, 500, OrderState::Replaced)]);
    // 0.7 kWh at 1.50, and what traded at the bid's own limit, 0.5 kWh at 1.00.
    assert_eq!(reserved(&market, &ann).await, "1.550000000");
    let is_replacement = |fact: &Fact| match fact {
        Fact::Command(it) => it.outcome.as_ref().unwrap().kind == Some(Outcome::Replaced(new)),
        _ => false,
    };
    for about in [About::Order(id), About::Order(new), About::Participant(0)] {
        assert!(facts(&market, about).await.iter().any(is_replacement), "{about:?}");
    }

    // The node draws the same picture from its ledger.
    let before = (states(&market, &ann).await, reserved(&market, &ann).await);
    market.kill_and_start_again().await;
    assert_eq!((states(&market, &ann).await, reserved(&market, &ann).await), before);
}

#[tokio::test]
async fn all_orders_that_fit_are_withdrawn_by_their_owner_or_the_operator_and_by_nobody_else() {
    let mut market = Market::found().await;
    let (mut ann, mut eve) = (market.enrol_trader("ann").await, market.enrol_trader("eve").await);
    let offers = [0, 1, 2].map(|later| NewOrder { slot: SLOT.0 + later, ..order(Side::Offer) });
    let all_but_one =
        [&offers[..], &[NewOrder { slot: SLOT.0 + 2, limit_price_micros_per_kwh: 100, ..order(Side::Bid) }]]
            .concat();
    ask(&market, &mut ann, place(&all_but_one)).await;
    let cancel = |participant: &str, slot, side: Side| {
        let participant = participant.to_owned();
        Kind::CancelOrders(CancelOrders { participant, slot, side: side.into() })
    };
    let cancelled = |receipt: Receipt| match outcome(receipt) {
        Outcome::CancelledAll(it) => (it.orders, it.energy_wh),
        other => panic!("{other:?}"),
    };
    let Outcome::Rejected(why) =
        outcome(ask(&market, &mut eve, cancel("ann", None, Side::Unspecified)).await)
    else {
        panic!("eve is no operator")
    };
    assert_eq!(why.code, "ROLE_MUST_PERMIT");
    assert_eq!(cancelled(ask(&market, &mut eve, cancel("", None, Side::Unspecified)).await), (0, 0));

    let receipt = ask(&market, &mut ann, cancel("", Some(SLOT.0), Side::Unspecified)).await;
    assert_eq!(cancelled(receipt), (1, 1_000));
    assert_eq!(cancelled(ask(&market, &mut ann, cancel("", None, Side::Bid)).await), (1, 1_000));
    assert_eq!(states(&market, &ann).await.iter().filter(|it| it.1 == OrderState::Open).count(), 2);
    let mut operator = std::mem::replace(&mut market.operator, Person::new("operator"));
    let receipt = ask(&market, &mut operator, cancel("ann", None, Side::Unspecified)).await;
    market.operator = operator;
    assert_eq!(cancelled(receipt), (2, 2_000));
    assert_eq!(states(&market, &ann).await, [(0, OrderState::Cancelled); 4]);
    let lapsed = facts(&market, About::Participant(0)).await;
    let lapsed =
        lapsed.iter().filter(|it| matches!(it, Fact::OrderLapsed(it) if it.cause() == LapseCause::Cancelled));
    assert_eq!(lapsed.count(), 4);
}

/// A market whose roofs lie behind a transformer of 4 kW: it carries 1 kWh a quarter hour.
const NARROW: &str = "
[market]
market_fee_micros_per_kwh = 0
zones = [
    { name = 'park' },
    { name = 'farm', parent = 'park', capacity_up_w = 4_000, capacity_down_w = 4_000 },
]
";
/// A slot of the day after tomorrow, whose auction is open.
const IN_AUCTION: u32 = SLOT.0 + 120;

#[tokio::test]
async fn while_an_auction_is_open_everybody_sees_what_it_would_be_and_then_what_it_was() {
    let mut market = Market::found_with(NARROW).await;
    let mut mill = market.enrol_trader("mill").await;
    let mut farm = market.enrol_in("farm", "farm").await;
    let auction = |side, micros, energy_wh| NewOrder {
        slot: IN_AUCTION,
        limit_price_micros_per_kwh: micros,
        energy_wh,
        ..order(side)
    };
    let indicative = async || market.connection.indicative_auction("", IN_AUCTION).await.unwrap();
    let empty = indicative().await;
    assert_eq!((empty.slot, empty.phase()), (IN_AUCTION, v1::Phase::Auction));
    assert_eq!(empty.result.unwrap().energy_wh, 0);

    // The farm offers more than its transformer carries; the mill has an offer of its own, and would meet it.
    ask(&market, &mut farm, place(&[auction(Side::Offer, 200_000, 1_500)])).await;
    let own = [auction(Side::Bid, 800_000, 4_000), auction(Side::Offer, 100_000, 3_000)];
    ask(&market, &mut mill, place(&own)).await;
    let result = indicative().await.result.unwrap();
    assert_eq!((result.energy_wh, &result.exports_wh[..]), (1_000, &[0, 1_000][..]));
    assert!(result.rents_micros_per_kwh[1] > 0, "{result:?}");
    assert!(result.passed_over.is_empty(), "whose orders are one owner's is nobody else's to know");

    market.connection.advance_to("", (u64::from(IN_AUCTION) - 96) * 15 * MINUTE).await.unwrap();
    let after = indicative().await;
    assert_eq!((after.phase(), after.result), (v1::Phase::Continuous, None));
    let slots = market.connection.slots("", IN_AUCTION, 1).await.unwrap();
    assert_eq!(slots[0].auction.as_ref(), Some(&result));
    let recorded = facts(&market, About::Slot(IN_AUCTION)).await;
    let recorded = recorded.iter().find_map(|fact| match fact {
        Fact::AuctionCleared(it) => Some(it),
        _ => None,
    });
    let recorded = recorded.unwrap();
    let [pair] = recorded.passed_over[..] else { panic!("{recorded:?}") };
    assert_eq!(pair.energy_wh, 3_000);
    assert_eq!(&AuctionCleared { passed_over: vec![], ..recorded.clone() }, &result);
    let about_it = facts(&market, About::Order(pair.offer.unwrap())).await;
    assert!(about_it.contains(&Fact::AuctionCleared(recorded.clone())));
    let tape = market.connection.tape("", Some(IN_AUCTION), 10).await.unwrap();
    let rent = result.rents_micros_per_kwh[1];
    assert_eq!((tape.len(), tape[0].congestion_micros_per_kwh), (1, rent));

    // The mill pays the rent for its 1 kWh, and an auditor finds it on its own account.
    market.connection.advance_to("", (u64::from(IN_AUCTION) + 97) * 15 * MINUTE).await.unwrap();
    let of_trade = facts(&market, About::Trade(tape[0].id)).await;
    let posted = of_trade.iter().find_map(|fact| match fact {
        Fact::Posted(it) if it.purpose == Some(Purpose::CongestionOfTrade(tape[0].id)) => Some(it),
        _ => None,
    });
    assert_eq!(i64::from(posted.unwrap().amount_nanos), rent * 1_000);
    assert_eq!(market.node.stop().code(), Some(0));
    let audited = node::audit("replay", &market.place.data().join("park"));
    let said = String::from_utf8(audited.stdout).unwrap();
    assert_eq!(audited.status.code(), Some(0), "{said}");
    assert!(
        said.contains(&format!("congestion    0.{rent:06}000 CNY paid for room on full edges")),
        "{said}"
    );
}

#[tokio::test]
async fn trades_that_others_make_because_of_a_command_are_not_told_to_him_who_gave_it() {
    let mut market = Market::found_with(NARROW).await;
    let mut mill = market.enrol_trader("mill").await;
    let mut farm = market.enrol_in("farm", "farm").await;
    let mut barn = market.enrol_in("barn", "farm").await;
    let offer = |energy_wh| NewOrder { energy_wh, limit_price_micros_per_kwh: 200_000, ..order(Side::Offer) };
    place_one(&market, &mut farm, offer(3_000)).await.0.unwrap();
    // The mill takes what the transformer carries, and waits for more.
    let (answer, receipt) = place_one(&market, &mut mill, at_twice(3_000, TimeInForce::Unspecified)).await;
    answer.unwrap();
    assert_eq!(receipt.trades.iter().map(|it| it.energy_wh).sum::<u64>(), 1_000);

    // The mill sells to the barn: that makes room upwards, for the farm's offer and the mill's bid.
    let own_offer = NewOrder { limit_price_micros_per_kwh: 100_000, energy_wh: 500, ..order(Side::Offer) };
    place_one(&market, &mut mill, own_offer).await.0.unwrap();
    let barn_pays = NewOrder { limit_price_micros_per_kwh: 150_000, energy_wh: 500, ..order(Side::Bid) };
    let before = market.connection.tape("", Some(SLOT.0), 10).await.unwrap().len();
    let asked = barn.sign(place(&[barn_pays]));
    let receipt = market.connection.submit(asked.clone()).await.unwrap();
    let own = Some(OrderId { index: receipt.leaf_index, position: 0 });
    let [trade] = &receipt.trades[..] else { panic!("{receipt:?}") };
    assert_eq!((trade.bid, trade.energy_wh), (own, 500));
    let again = market.connection.submit(asked).await.unwrap();
    assert_eq!(again, Receipt { repeated_command: true, ..receipt });
    let tape = market.connection.tape("", Some(SLOT.0), 10).await.unwrap();
    assert_eq!(tape.len() - before, 2, "the farm and the mill traded because of it: {tape:?}");
}
