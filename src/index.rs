//! The store's indices: by whom and by what a leaf is found.
//!
//! Knows leaves; the rows follow from a leaf alone, so that they can be made again at any time.

mod brief;
mod place;

use brief::{Asked, CommandBrief};
use parkwatt_engine::Rejection;
use parkwatt_ledger::{Group, IndexRow, Rows, Store, StoreError};
use parkwatt_proto::v1::{
    self, certificate_voided::Was, leaf::Fact, ledger_account, list_entries_request::About, posting::Purpose,
};
use prost::Message;
use sha2::{Digest, Sha256};

/// From a key and a nonce to the leaf of the command that used it up, by which repeats are found.
const BY_NONCE: u8 = 1;
const BY_PARTICIPANT: u8 = 2;
const BY_SLOT: u8 = 3;
const BY_ORDER: u8 = 4;
const BY_TRADE: u8 = 5;
const BY_CERTIFICATE: u8 = 6;
const BY_GEC: u8 = 7;
const BY_METERED: u8 = 8;
/// From a command's digest to its leaf, where its nonce had been used up by another one.
const BY_DIGEST: u8 = 9;

/// How many bits of an order's or a trade's number, of an order's position and of a slot tell it from its neighbours in
/// its page. What came, or is traded, together shares a page then; who reads about one of them passes over the others.
const ORDER_BITS: u32 = 12;
const POSITION_BITS: u32 = 5;
const TRADE_BITS: u32 = 10;
const SLOT_BITS: u32 = 4;

pub use place::Place;

/// Returns the leaf index at the beginning of a row's key.
pub fn leaf_of(key: &[u8]) -> Option<u64> {
    key.first_chunk().map(|index| u64::from_be_bytes(*index))
}

/// Adds the rows by which the leaves of `group` are found. No two have the same index, page and key, and the keys of a
/// page rise.
pub fn index_rows(group: &Group, rows: &mut Rows) {
    for (leaf_index, bytes) in group.indexed_leaves() {
        let mut subjects = match brief::of_leaf(bytes) {
            Some(command) => {
                let asked = command.asked();
                put_row_of_repeats(&command, asked.as_ref(), leaf_index, rows);
                about_command(command.participant, command.orders(asked.as_ref()))
            }
            None => match v1::Leaf::decode(bytes).ok().and_then(|leaf| leaf.fact) {
                Some(fact) => subjects(&fact),
                None => continue,
            },
        };
        subjects.sort_unstable();
        subjects.dedup();
        for place in &subjects {
            put(rows, place, leaf_index);
        }
    }
}

/// Returns the rows of one group.
pub fn rows_of(group: &Group) -> Rows {
    let mut rows = Rows::default();
    index_rows(group, &mut rows);
    rows
}

fn put(rows: &mut Rows, place: &Place, leaf_index: u64) {
    rows.push(IndexRow { index: place.index, page: place.page(), key: &place.key(leaf_index), value: &[] });
}

/// Adds the row by which the same command is found again: by its nonce if it has used that up, and else by its
/// digest. A key's nonces rise from one leaf to the next, as the keys of a page must.
fn put_row_of_repeats(command: &CommandBrief, asked: Option<&Asked>, leaf_index: u64, rows: &mut Rows) {
    let Some(signed) = &command.signed else { return };
    if !uses_its_nonce_up(command) {
        put(rows, &by_digest(signed), leaf_index);
    } else if let Some(asked) = asked {
        let (key, value) = (asked.nonce.to_be_bytes(), leaf_index.to_be_bytes());
        rows.push(IndexRow { index: BY_NONCE, page: &signed.public_key, key: &key, value: &value });
    }
}

fn uses_its_nonce_up(command: &CommandBrief) -> bool {
    let unused = [Rejection::KeyMustBeEnrolled.code(), Rejection::NonceMustRise { nonce: 0, last: 0 }.code()];
    command.rejection().is_none_or(|why| !unused.contains(&why.code.as_str()))
}

fn by_digest(signed: &v1::SignedCommand) -> Place {
    Place::new(BY_DIGEST, &[&digest(signed)], &[])
}

/// Returns the leaf of the same command, if the store has it. `nonce` is the command's.
pub fn leaf_of_same(
    store: &Store,
    signed: &v1::SignedCommand,
    nonce: u64,
) -> Result<Option<u64>, StoreError> {
    if let Some(value) = store.get_index(BY_NONCE, &signed.public_key, &nonce.to_be_bytes())?
        && let Some(leaf_index) = leaf_of(&value)
        && let Some(leaf) = store.leaf(leaf_index)?
        && let Ok(v1::Leaf { fact: Some(Fact::Command(command)), .. }) = v1::Leaf::decode(leaf.as_slice())
        && command.signed.is_some_and(|it| it.public_key == signed.public_key && it.payload == signed.payload)
    {
        return Ok(Some(leaf_index));
    }
    let place = by_digest(signed);
    let row = store.scan_index(place.index, place.page()).next().transpose()?;
    Ok(row.and_then(|(key, _)| leaf_of(&key)))
}

/// Returns a command's digest: of who signed, and what. The signature is left out, since it follows from
/// both.
pub fn digest(signed: &v1::SignedCommand) -> [u8; 32] {
    Sha256::new().chain_update(&signed.public_key).chain_update(&signed.payload).finalize().into()
}

/// Returns where the leaves about something stand.
pub fn place(about: &About) -> Place {
    match about {
        About::Participant(number) => participant(*number),
        About::Slot(slot) => {
            let (page, rest) = neighbourhood((*slot).into(), SLOT_BITS);
            Place::new(BY_SLOT, &[&page], &[&rest])
        }
        About::Order(id) => order(*id),
        About::Trade(trade) => {
            let (page, rest) = neighbourhood(*trade, TRADE_BITS);
            Place::new(BY_TRADE, &[&page], &[&rest])
        }
        About::Certificate(id) => certificate(*id),
        About::Gec(id) => gec(*id),
    }
}

/// Returns whether a fact is about something: whether [`index_rows`] finds it there.
pub fn is_about(fact: &Fact, about: &About) -> bool {
    subjects(fact).contains(&place(about))
}

/// Returns the same for what a participant's meter measured in a slot.
pub fn metered(participant: u32, slot: u32) -> Place {
    whole_page(BY_METERED, [participant, slot])
}

/// Returns the numbers of the participants about whom these rows find a leaf, perhaps several times.
pub fn participants(rows: &Rows) -> impl Iterator<Item = u32> {
    let number = |row: IndexRow<'_>| row.page.first_chunk().map(|number| u32::from_be_bytes(*number));
    rows.iter().filter(|row| row.index == BY_PARTICIPANT).filter_map(number)
}

/// Returns what a command of this participant is about: he, and the orders that it names or puts in another's place.
fn about_command(who: Option<u32>, orders: impl Iterator<Item = v1::OrderId>) -> Vec<Place> {
    who.map(participant).into_iter().chain(orders.map(order)).collect()
}

/// Returns everything that a fact is about.
fn subjects(fact: &Fact) -> Vec<Place> {
    let slot = |slot: u32| place(&About::Slot(slot));
    let trade = |trade: u64| place(&About::Trade(trade));
    match fact {
        Fact::Genesis(_) | Fact::Tick(_) | Fact::StateRecorded(_) => Vec::new(),
        Fact::Command(command) => {
            let command = brief::of(command);
            about_command(command.participant, command.orders(command.asked().as_ref()))
        }
        Fact::PhaseBegan(it) => vec![slot(it.slot)],
        Fact::AuctionCleared(it) => {
            let own_pairs = it.passed_over.iter().flat_map(|pair| pair.bid.into_iter().chain(pair.offer));
            own_pairs.map(order).chain([slot(it.slot)]).collect()
        }
        Fact::OrderLapsed(it) => {
            it.order.map(order).into_iter().chain([slot(it.slot), participant(it.owner)]).collect()
        }
        Fact::TradeMade(it) => {
            let orders = it.bid.into_iter().chain(it.offer).map(order);
            let owners = it.buyer.into_iter().chain(it.seller).map(participant);
            orders.chain(owners).chain([trade(it.id), slot(it.slot)]).collect()
        }
        Fact::Metered(it) => {
            vec![slot(it.slot), participant(it.participant), metered(it.participant, it.slot)]
        }
        Fact::TradeDelivered(it) => {
            let owners = it.buyer.into_iter().chain(it.seller).map(participant);
            owners.chain([trade(it.trade), slot(it.slot)]).collect()
        }
        Fact::Posted(it) => {
            let accounts = it.from.iter().chain(&it.to).filter_map(|account| match account.kind {
                Some(ledger_account::Kind::Participant(number)) => Some(participant(number)),
                _ => None,
            });
            accounts.chain(it.purpose.as_ref().and_then(purpose)).collect()
        }
        Fact::CertificateIssued(it) => {
            of_certificate(it.certificate, [it.certificate.unwrap_or_default().producer])
        }
        Fact::CertificateSliced(it) => {
            let mut subjects = of_certificate(it.certificate, [it.from, it.to]);
            subjects.push(trade(it.trade));
            subjects
        }
        // Who claims a certificate, and for whom, is not its producer's to know.
        Fact::CertificateRetired(it) => of_certificate(it.certificate, [it.holder]),
        Fact::CertificateTransferred(it) => of_certificate(it.certificate, [it.from, it.to]),
        Fact::CertificateExpired(it) => of_certificate(it.certificate, [it.holder]),
        // Each holder hears of his own part.
        Fact::CertificateWithdrawn(it) => {
            of_certificate(it.certificate, [it.certificate.unwrap_or_default().producer])
        }
        Fact::CertificateVoided(it) => {
            let national = match it.was {
                Some(Was::Gec(id)) => Some(gec(id)),
                _ => None,
            };
            of_certificate(it.certificate, [it.holder]).into_iter().chain(national).collect()
        }
        Fact::GecIssued(it) => vec![gec(it.gec.unwrap_or_default()), participant(it.holder)],
        Fact::GecVoided(it) => vec![gec(it.gec.unwrap_or_default()), participant(it.holder)],
        Fact::CertificateBundled(it) => of_part(it.certificate, it.holder, it.gec),
        Fact::CertificateReleased(it) => of_part(it.certificate, it.holder, it.gec),
    }
}

fn whole_page<const N: usize>(index: u8, numbers: [u32; N]) -> Place {
    Place::new(index, &[numbers.map(u32::to_be_bytes).as_flattened()], &[])
}

/// Returns the page that a number shares with those that differ from it in the last `bits` alone, and what tells it from
/// them.
fn neighbourhood(number: u64, bits: u32) -> ([u8; 8], [u8; 2]) {
    let [.., high, low] = (number & ((1 << bits) - 1)).to_be_bytes();
    ((number >> bits).to_be_bytes(), [high, low])
}

fn participant(number: u32) -> Place {
    whole_page(BY_PARTICIPANT, [number])
}

fn order(id: v1::OrderId) -> Place {
    let (page, rest) = neighbourhood(id.index, ORDER_BITS);
    let position = id.position.to_be_bytes();
    // Few have more than two bytes.
    let zeros = position.iter().take(2).take_while(|byte| **byte == 0).count();
    let positions = (id.position >> POSITION_BITS).to_be_bytes();
    Place::new(BY_ORDER, &[&page, &positions], &[&rest, &position[zeros..]])
}

fn certificate(id: v1::CertificateId) -> Place {
    whole_page(BY_CERTIFICATE, [id.slot, id.producer, id.issue])
}

fn of_certificate<const N: usize>(id: Option<v1::CertificateId>, holders: [u32; N]) -> Vec<Place> {
    let id = id.unwrap_or_default();
    let named = [certificate(id), place(&About::Slot(id.slot))];
    named.into_iter().chain(holders.map(participant)).collect()
}

fn gec(id: v1::GecId) -> Place {
    Place::new(BY_GEC, &[&id.index.to_be_bytes(), &id.position.to_be_bytes()], &[])
}

fn of_part(certificate: Option<v1::CertificateId>, holder: u32, national: Option<v1::GecId>) -> Vec<Place> {
    of_certificate(certificate, [holder]).into_iter().chain(national.map(gec)).collect()
}

fn purpose(it: &Purpose) -> Option<Place> {
    match it {
        Purpose::Deposit(_) | Purpose::Payout(_) | Purpose::Rounding(_) => None,
        Purpose::EnergyOfTrade(trade)
        | Purpose::WheelingOfTrade(trade)
        | Purpose::CongestionOfTrade(trade)
        | Purpose::FeeOfTrade(trade)
        | Purpose::DeviationOfTrade(trade) => Some(place(&About::Trade(*trade))),
        Purpose::RetailInSlot(slot) | Purpose::FeedInInSlot(slot) => Some(place(&About::Slot(*slot))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_of_a_certificate_is_found_by_it_its_slot_its_gec_and_whom_it_concerns() {
        let id = v1::CertificateId { slot: 1, producer: 2, issue: 3 };
        let certificate = Some(id);
        let gec_id = v1::GecId { index: 8, position: 9 };
        let gec = Some(gec_id);
        let (from, to, holder, energy_wh) = (4, 5, 6, 7);
        let about = |people: &[u32], has_certificate: bool, has_gec: bool| -> Vec<About> {
            let people = people.iter().map(|number| About::Participant(*number));
            let certificate = has_certificate.then_some([About::Certificate(id), About::Slot(1)]);
            let national = has_gec.then_some(About::Gec(gec_id));
            people.chain(certificate.into_iter().flatten()).chain(national).collect()
        };
        let void = |was| {
            Fact::CertificateVoided(v1::CertificateVoided { certificate, holder, energy_wh, was: Some(was) })
        };
        for (fact, people, has_certificate, has_gec) in [
            (
                Fact::CertificateTransferred(v1::CertificateTransferred { certificate, from, to, energy_wh }),
                &[from, to][..],
                true,
                false,
            ),
            (
                Fact::CertificateExpired(v1::CertificateExpired { certificate, holder, energy_wh }),
                &[holder],
                true,
                false,
            ),
            (
                Fact::CertificateWithdrawn(v1::CertificateWithdrawn {
                    certificate,
                    energy_wh,
                    reason: "corrected".into(),
                }),
                &[id.producer],
                true,
                false,
            ),
            (void(Was::Held(v1::Done {})), &[holder], true, false),
            (void(Was::Gec(gec_id)), &[holder], true, true),
            (Fact::GecIssued(v1::GecIssued { gec, holder }), &[holder], false, true),
            (Fact::GecVoided(v1::GecVoided { gec, holder }), &[holder], false, true),
            (
                Fact::CertificateBundled(v1::CertificateBundled { certificate, holder, energy_wh, gec }),
                &[holder],
                true,
                true,
            ),
            (
                Fact::CertificateReleased(v1::CertificateReleased { certificate, holder, energy_wh, gec }),
                &[holder],
                true,
                true,
            ),
        ] {
            let expected = about(people, has_certificate, has_gec);
            let mut expected: Vec<_> = expected.iter().map(place).collect();
            let mut found = subjects(&fact);
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{fact:?}");
        }
    }
}
