//! Entries by what they are about, page by page: every index, every length of a page, from anywhere.

use parkwatt_proto::v1::{Leaf, ListEntriesRequest, NewOrder, Side, leaf::Fact, list_entries_request::About};
use prost::Message;

use super::{
    market::{Market, order, place},
    settlement::{delivered, session},
};

/// What a page has at most where nobody asks for less.
const COUNT_MAX: u32 = 1_000;

/// Entries with their indices.
type Entries = Vec<(u64, Vec<u8>)>;

/// Asks for one page, as the operator.
async fn page(market: &Market, about: Option<About>, from_index: u64, count: u32) -> Entries {
    let asked = ListEntriesRequest { market: String::new(), from_index, count, about };
    let session = session(market, &market.operator).await;
    let answer = market.connection.entries(&session, asked).await.unwrap();
    assert_eq!(answer.leaf_indices.len(), answer.entries.len());
    answer.leaf_indices.into_iter().zip(answer.entries).collect()
}

/// Goes from page to page, each of which begins behind the last entry of the one before.
async fn all_pages(market: &Market, about: Option<About>, count: u32) -> Entries {
    let mut entries = Entries::new();
    loop {
        let from_index = entries.last().map_or(0, |(index, _)| index + 1);
        let next = page(market, about, from_index, count).await;
        assert!(next.len() <= count as usize);
        if next.is_empty() {
            return entries;
        }
        entries.extend(next);
    }
}

/// Returns something of every kind that an entry can be about, and how many entries there are at the least.
fn subjects(entries: &Entries) -> Vec<(About, usize)> {
    let mut subjects = Vec::new();
    for (_, entry) in entries {
        match Leaf::decode(entry.as_slice()).unwrap().fact.unwrap() {
            Fact::TradeMade(trade) => {
                let people = [trade.buyer.unwrap(), trade.seller.unwrap()].map(About::Participant);
                subjects.extend(people.map(|about| (about, 8)));
                let orders = [trade.bid.unwrap(), trade.offer.unwrap()].map(About::Order);
                subjects.extend(orders.map(|about| (about, 1)));
                subjects.extend([(About::Trade(trade.id), 4), (About::Slot(trade.slot), 8)]);
            }
            Fact::CertificateIssued(issued) => {
                subjects.push((About::Certificate(issued.certificate.unwrap()), 1));
            }
            _ => {}
        }
    }
    subjects
}

#[tokio::test]
async fn pages_of_any_length_over_any_index_make_up_the_whole() {
    let (market, _, _) = delivered().await;
    let ledger = page(&market, None, 0, COUNT_MAX).await;
    assert_eq!(ledger.len() as u64, market.size().await);
    let mut subjects: Vec<_> =
        subjects(&ledger).into_iter().map(|(about, least)| (Some(about), least)).collect();
    assert_eq!(subjects.len(), 8, "two people, two orders, a trade, its slot, two certificates");
    subjects.push((None, ledger.len()));
    for (about, least) in subjects {
        let whole = page(&market, about, 0, COUNT_MAX).await;
        assert!(whole.len() >= least, "{about:?} has {} entries", whole.len());
        assert!(whole.is_sorted_by(|(earlier, _), (later, _)| earlier < later));
        for (index, entry) in &whole {
            assert_eq!(ledger[usize::try_from(*index).unwrap()], (*index, entry.clone()));
        }
        for count in [1, 2, 3, 7] {
            assert_eq!(all_pages(&market, about, count).await, whole, "{about:?}, {count} a page");
        }
        // A cursor need not be an entry's index.
        for from_index in 0..=ledger.len() as u64 {
            let rest: Entries =
                whole.iter().filter(|(index, _)| *index >= from_index).take(2).cloned().collect();
            assert_eq!(page(&market, about, from_index, 2).await, rest, "{about:?} from {from_index}");
        }
        assert_eq!(page(&market, about, u64::MAX, 1).await, []);
    }
    assert_eq!(page(&market, Some(About::Trade(999)), 0, COUNT_MAX).await, []);
    assert_eq!(page(&market, Some(About::Participant(u32::MAX)), 0, COUNT_MAX).await, []);
}

#[tokio::test]
async fn a_page_ends_before_it_is_too_long_for_an_answer_and_the_next_goes_on() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    // Each of these orders is refused with a sentence, so that the command's entry is long.
    let refused = NewOrder { slot: 7, ..order(Side::Offer) };
    for _ in 0..30 {
        market.connection.submit(ann.sign(place(&vec![refused; 1_000]))).await.unwrap();
    }
    let first = page(&market, None, 0, COUNT_MAX).await;
    let bytes: usize = first.iter().map(|(_, entry)| entry.len()).sum();
    let size = usize::try_from(market.size().await).unwrap();
    assert!(
        first.len() < size && (1 << 20..2 << 20).contains(&bytes),
        "{} entries, {bytes} bytes",
        first.len()
    );
    let all = all_pages(&market, None, COUNT_MAX).await;
    assert!(all.len() == size && all.iter().map(|(index, _)| *index).eq(0..size as u64));
    assert!(all_pages(&market, Some(About::Participant(0)), COUNT_MAX).await.len() >= 30);
}
