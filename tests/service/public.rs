//! What everybody may know of a market together: a day, the flows, an auction with its orders, and proofs of what says
//! nothing about anybody.

use std::{collections::BTreeSet, ops::Range};

use parkwatt_engine::SECONDS_PER_SLOT;
use parkwatt_ledger::{CheckpointVerifier, ProvedLeaf};
use parkwatt_proto::v1::{
    self, GetAuctionRequest, GetCheckpointRequest, GetDayRequest, GetFlowsRequest, GetProofRequest,
    ListEntriesRequest, NewOrder, Phase, Side, leaf::Fact, ledger_client::LedgerClient,
    list_entries_request::About, market_data_client::MarketDataClient,
};
use prost::Message;
use tonic::Code;

use super::{
    market::{LIMIT, Market, NOW_MICROS, SLOT, check_refusal, order, place},
    sessions::with,
    settlement::{correct, delivered},
};

#[tokio::test]
async fn a_day_is_what_its_slots_came_to_and_follows_a_correction() {
    let (mut market, eve, _) = delivered().await;
    for (is_corrected, [delivered_wh, sellers, buyers, deviation]) in [
        // Eve had 0.109 more a kWh than feed-in pays; Ann paid 0.552 in the night, when retail costs 0.42.
        (false, ["1000", "0.109000000", "-0.132000000", "0.000000000"]),
        (true, ["700", "0.076300000", "-0.092400000", "0.015000000"]),
    ] {
        if is_corrected {
            correct(&market, &eve).await;
            // The sums are the same after a start.
            market.kill_and_start_again().await;
        }
        let mut data = MarketDataClient::connect(market.node.url()).await.unwrap();
        let day = data.get_day(GetDayRequest::default()).await.unwrap().into_inner();
        assert_eq!((day.date.as_str(), day.time_zone.as_str(), day.slots), ("2026-06-01", "UTC", 96));
        assert_eq!(u64::from(day.first_slot) * SECONDS_PER_SLOT, 1_780_272_000);
        assert_eq!((day.trades, day.traded_wh, day.slots_settled), (1, 1_000, 1));
        assert_eq!(day.delivered_wh.to_string(), delivered_wh);
        let means = [
            day.mean_price_micros_per_kwh,
            day.mean_all_in_micros_per_kwh,
            day.mean_feed_in_micros_per_kwh,
            day.mean_retail_micros_per_kwh,
        ];
        assert_eq!(means, [LIMIT, LIMIT + 52_000, 391_000, 420_000].map(Some));
        assert_eq!(
            [day.sellers_gain_yuan, day.buyers_gain_yuan, day.deviation_yuan],
            [sellers, buyers, deviation]
        );
        assert_eq!(day.certificates, None, "Eve is the only one who has any");
    }
    let mut data = MarketDataClient::connect(market.node.url()).await.unwrap();
    let asked = |date: &str| GetDayRequest { date: date.into(), ..GetDayRequest::default() };
    let empty = data.get_day(asked("2026-06-02")).await.unwrap().into_inner();
    assert_eq!((empty.trades, empty.mean_price_micros_per_kwh, empty.slots), (0, None, 96));
    let status = data.get_day(asked("1 June")).await.unwrap_err();
    check_refusal(
        &status,
        Code::InvalidArgument,
        "MALFORMED",
        "date",
        &["'1 June' is not a date", "2026-06-01"],
    );
}

const ZONES: &str = "time_zone = 'Asia/Shanghai'
[market]
zones = [
  { name = 'works', base_wheeling_micros_per_kwh = 20_000 },
  { name = 'roofs', parent = 'works', wheeling_up_micros_per_kwh = 10_000, capacity_up_w = 4_000 },
]";

#[tokio::test]
async fn an_auction_is_told_with_the_orders_that_it_met_and_its_flows() {
    let mut market = Market::found_with(ZONES).await;
    let (mut ann, mut mill) = (market.enrol_in("ann", "roofs").await, market.enrol_in("mill", "works").await);
    // It is cleared a day before, which is in two hours; what is cancelled before is not in its book.
    let slot = SLOT.0 + 100;
    let of = |side: Side, limit: i64, energy_wh: u64| NewOrder {
        slot,
        limit_price_micros_per_kwh: limit,
        energy_wh,
        ..order(side)
    };
    for (who, orders) in [
        (&mut ann, [of(Side::Offer, 400_000, 900), of(Side::Offer, 450_000, 700)]),
        (&mut mill, [of(Side::Bid, 700_000, 1_500), of(Side::Bid, 500_000, 300)]),
    ] {
        market.connection.submit(who.sign(place(&orders))).await.unwrap();
    }
    let mut data = MarketDataClient::connect(market.node.url()).await.unwrap();
    let asked = GetAuctionRequest { slot, ..GetAuctionRequest::default() };
    let before = data.get_auction(asked.clone()).await.unwrap().into_inner();
    assert_eq!((before.phase(), before.result.is_some(), before.offers.len()), (Phase::Auction, false, 0));

    market.connection.advance_to("", NOW_MICROS + 3 * 3_600_000_000).await.unwrap();
    market.kill_and_start_again().await;
    let mut data = MarketDataClient::connect(market.node.url()).await.unwrap();
    let auction = data.get_auction(asked).await.unwrap().into_inner();
    let result = auction.result.unwrap();
    // The roofs' edge carries 1 kWh in a quarter hour, and is full.
    assert_eq!((auction.phase, result.energy_wh), (i32::from(Phase::Continuous), 1_000));
    assert_eq!(result.exports_wh, [0, 1_000]);
    let level = |it: &v1::Level| (it.zone.clone(), it.limit_price_micros_per_kwh, it.energy_wh, it.orders);
    let offers: Vec<_> = auction.offers.iter().map(level).collect();
    assert_eq!(offers, [("roofs".into(), 400_000, 900, 1), ("roofs".into(), 450_000, 700, 1)]);
    let bids: Vec<_> = auction.bids.iter().map(level).collect();
    assert_eq!(bids, [("works".into(), 700_000, 1_500, 1), ("works".into(), 500_000, 300, 1)]);

    let asked = GetFlowsRequest { slot, ..GetFlowsRequest::default() };
    let flows = data.get_flows(asked).await.unwrap().into_inner();
    let roofs = v1::EdgeFlow {
        zone: "roofs".into(),
        flow_wh: 1_000,
        capacity_up_wh: Some(1_000),
        capacity_down_wh: None,
    };
    assert_eq!(flows.edges, [roofs]);

    // Days are those of the market's zone: this one begins at 16:00 of the day before.
    let day = data.get_day(GetDayRequest::default()).await.unwrap().into_inner();
    assert_eq!((day.date.as_str(), day.time_zone.as_str()), ("2026-06-01", "Asia/Shanghai"));
    assert_eq!(u64::from(day.first_slot) * SECONDS_PER_SLOT, 1_780_243_200);
}

#[tokio::test]
async fn everybody_sees_proved_what_is_about_nobody_and_nothing_by_which_others_could_be_guessed() {
    let (market, ..) = delivered().await;
    let now = market.connection.market("").await.unwrap().now_micros;
    let passed_s = i64::try_from((now - NOW_MICROS) / 1_000_000).unwrap();
    let session = market.operator.session("park", passed_s + 600);
    let entries = market.connection.entries(&session, ListEntriesRequest::default()).await.unwrap();
    let facts: Vec<Fact> =
        entries.entries.iter().map(|it| v1::Leaf::decode(it.as_slice()).unwrap().fact.unwrap()).collect();
    let size = facts.len() as u64;
    let is_public = |fact: &Fact| matches!(fact, Fact::Genesis(_) | Fact::Tick(_) | Fact::PhaseBegan(_));
    let is_command = |fact: &Fact| matches!(fact, Fact::Command(_));

    let checkpoint = market.connection.checkpoint("").await.unwrap();
    assert_eq!(checkpoint.tree_size, size);
    let verifier = CheckpointVerifier::from_vkey(&checkpoint.vkey).unwrap();
    let mut ledger = LedgerClient::connect(market.node.url()).await.unwrap();
    let mut shown = Vec::new();
    for leaf_index in 0..size {
        let asked = GetProofRequest { leaf_index, ..GetProofRequest::default() };
        match ledger.get_proof(asked).await {
            Ok(proved) => {
                let proved: ProvedLeaf = proved.into_inner().tlog_proof.parse().unwrap();
                assert_eq!(proved.verify(&verifier).unwrap().size(), size);
                shown.push(leaf_index);
            }
            Err(status) => {
                check_refusal(&status, Code::Unauthenticated, "SESSION_REQUIRED", "", &["no session"]);
            }
        }
    }
    let mut ends = BTreeSet::new();
    while ends.last() != Some(&size) {
        let tree_size_min = ends.last().map_or(1, |last| last + 1);
        let asked = GetCheckpointRequest { tree_size_min, ..GetCheckpointRequest::default() };
        ends.insert(ledger.get_checkpoint(asked).await.unwrap().into_inner().tree_size);
    }
    // The same by hand: each part of the tree beside the way to a leaf is public, or has a signature in it; and so has
    // its second half, if an earlier checkpoint lay between them.
    let half_of = |len: u64| (0..63).map(|it| 1_u64 << it).take_while(|it| *it < len).last();
    let hides = |part: Range<u64>| {
        let leaves = || part.clone().map(|it| &facts[usize::try_from(it).unwrap()]);
        leaves().all(is_public) || leaves().any(is_command)
    };
    let hidden = |mut part: Range<u64>| {
        while hides(part.clone()) {
            match half_of(part.end - part.start).map(|half| part.start + half) {
                Some(middle) if ends.contains(&middle) => part.start = middle,
                _ => return true,
            }
        }
        false
    };
    let may = |index: u64| {
        let (mut from, mut until) = (0, size);
        let mut parts = Vec::new();
        while until - from > 1 {
            let half = half_of(until - from).unwrap();
            if index < from + half {
                parts.push(from + half..until);
                until = from + half;
            } else {
                parts.push(from..from + half);
                from += half;
            }
        }
        parts.into_iter().all(hidden)
    };
    let expected: Vec<u64> =
        (0..size).filter(|it| is_public(&facts[usize::try_from(*it).unwrap()]) && may(*it)).collect();
    assert_eq!(shown, expected);
    assert!(shown.contains(&0) && shown.len() > 2, "{shown:?}");
    let public = facts.iter().filter(|fact| is_public(fact)).count();
    assert!(shown.len() < public, "some public leaf stands beside a private one: {shown:?}");

    // A list is of the same, and only about a slot.
    let about = |about: Option<About>| ListEntriesRequest { about, ..ListEntriesRequest::default() };
    let listed = ledger.list_entries(about(Some(About::Slot(SLOT.0)))).await.unwrap().into_inner();
    assert!(!listed.leaf_indices.is_empty());
    assert!(listed.leaf_indices.iter().all(|index| shown.contains(index)), "{:?}", listed.leaf_indices);
    for asked in [about(None), about(Some(About::Participant(0))), about(Some(About::Trade(9)))] {
        let status = ledger.list_entries(asked).await.unwrap_err();
        check_refusal(&status, Code::Unauthenticated, "SESSION_REQUIRED", "", &["no session"]);
    }
}

#[tokio::test]
async fn a_participant_has_proofs_between_checkpoints_and_of_no_other_trees() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let before = market.size().await;
    market.connection.submit(ann.sign(place(&[order(Side::Offer)]))).await.unwrap();
    let mut bea = market.enrol_trader("bea").await;
    let old = market.size().await;
    // Two entries at once: the command, and the trade that it makes.
    let bid = NewOrder { limit_price_micros_per_kwh: LIMIT + 100_000, ..order(Side::Bid) };
    market.connection.submit(bea.sign(place(&[bid]))).await.unwrap();
    let new = market.size().await;
    assert!(new > old + 1 && old > before);
    let session = ann.session("park", 600);
    for (sizes, field) in [
        ([before, new], None),
        ([old, new], None),
        ([old + 1, new], Some("old_size")),
        ([old, new - 1], Some("new_size")),
    ] {
        let proof = market.connection.consistency_proof(&session, "", sizes[0], sizes[1]).await;
        let operators = market.operator.session("park", 600);
        let proof_of_operator = market.connection.consistency_proof(&operators, "", sizes[0], sizes[1]).await;
        assert!(proof_of_operator.is_ok(), "{sizes:?}");
        match (proof, field) {
            (Ok(_), None) => {}
            (Err(refused), Some(field)) => {
                let said = refused.to_string();
                assert!(said.contains(field) && said.contains("is not the size of a checkpoint"), "{said}");
            }
            (proof, _) => panic!("{sizes:?}: {proof:?}"),
        }
    }
    // What everybody may see, he may see signed in as well.
    let mut ledger = LedgerClient::connect(market.node.url()).await.unwrap();
    assert!(ledger.get_proof(with(GetProofRequest::default(), &session)).await.is_ok());
}
