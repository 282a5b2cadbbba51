//! The store's indices: by whom and by what a leaf is found.
//!
//! Knows leaves; the rows follow from a leaf alone, so that they can be made again at any time.

use parkwatt_engine::Rejection;
use parkwatt_ledger::{Group, IndexRow, Store, StoreError};
use parkwatt_proto::v1::{
    self, certificate_voided::Was, command::Kind, leaf::Fact, ledger_account, list_entries_request::About,
    outcome, posting::Purpose,
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

/// Which orders of one command share a page.
const POSITIONS_A_PAGE: u32 = 16;

/// Where the leaves about something stand: in a page of an index, under keys that are the leaf's index and `rest`.
///
/// What is about neighbours shares a page, since a page costs more than what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which index.
    pub index: u8,
    /// Which page of it.
    pub page: Vec<u8>,
    /// What tells it from its neighbours in the page.
    rest: Vec<u8>,
}

impl Place {
    /// Returns the key under which a leaf stands here.
    pub fn key(&self, leaf_index: u64) -> Vec<u8> {
        [&leaf_index.to_be_bytes()[..], &self.rest].concat()
    }

    /// Returns whether a key in the page is of here, and not of a neighbour.
    pub fn has(&self, key: &[u8]) -> bool {
        key.get(size_of::<u64>()..) == Some(&self.rest)
    }
}

/// Returns the leaf index at the beginning of a row's key.
pub fn leaf_of(key: &[u8]) -> Option<u64> {
    key.first_chunk().map(|index| u64::from_be_bytes(*index))
}

/// Returns the rows by which the leaves of `group` are found. No two have the same index, page and key.
pub fn index_rows(group: &Group) -> Vec<IndexRow> {
    let mut rows = Vec::new();
    for (leaf_index, bytes) in group.indexed_leaves() {
        let Some(fact) = v1::Leaf::decode(bytes).ok().and_then(|leaf| leaf.fact) else { continue };
        let asked = asked(&fact);
        if let Fact::Command(command) = &fact {
            rows.extend(row_of_repeats(command, asked.as_ref(), leaf_index));
        }
        let mut subjects = subjects(&fact, asked.as_ref());
        subjects.sort_unstable();
        subjects.dedup();
        rows.extend(subjects.into_iter().map(|place| IndexRow {
            index: place.index,
            key: place.key(leaf_index),
            page: place.page,
            value: Vec::new(),
        }));
    }
    rows
}

/// Returns the row by which the same command is found again: by its nonce if it has used that up, and else by its
/// digest. A key's nonces rise from one leaf to the next, as the keys of a page must.
fn row_of_repeats(
    command: &v1::CommandLeaf,
    asked: Option<&v1::Command>,
    leaf_index: u64,
) -> Option<IndexRow> {
    let signed = command.signed.as_ref()?;
    let place = if uses_its_nonce_up(command) {
        let value = leaf_index.to_be_bytes().to_vec();
        let key = asked?.nonce.to_be_bytes().to_vec();
        return Some(IndexRow { index: BY_NONCE, page: signed.public_key.clone(), key, value });
    } else {
        by_digest(signed)
    };
    Some(IndexRow { index: place.index, key: place.key(leaf_index), page: place.page, value: Vec::new() })
}

fn uses_its_nonce_up(command: &v1::CommandLeaf) -> bool {
    let unused = [Rejection::KeyMustBeEnrolled.code(), Rejection::NonceMustRise { nonce: 0, last: 0 }.code()];
    match command.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref()) {
        Some(outcome::Kind::Rejected(why)) => !unused.contains(&why.code.as_str()),
        _ => true,
    }
}

fn by_digest(signed: &v1::SignedCommand) -> Place {
    Place { index: BY_DIGEST, page: digest(signed).to_vec(), rest: Vec::new() }
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
    let row = store.scan_index(place.index, &place.page).next().transpose()?;
    Ok(row.and_then(|(key, _)| leaf_of(&key)))
}

/// Returns the command that a leaf records, as it was asked.
fn asked(fact: &Fact) -> Option<v1::Command> {
    let Fact::Command(v1::CommandLeaf { signed: Some(signed), .. }) = fact else { return None };
    v1::Command::decode(signed.payload.as_slice()).ok()
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
        About::Slot(slot) => whole_page(BY_SLOT, slot.to_be_bytes().to_vec()),
        About::Order(id) => order(*id),
        About::Trade(trade) => {
            let (page, rest) = neighbourhood(*trade);
            Place { index: BY_TRADE, page, rest }
        }
        About::Certificate(id) => certificate(*id),
        About::Gec(id) => gec(*id),
    }
}

/// Returns whether a fact is about something: whether [`index_rows`] finds it there.
pub fn is_about(fact: &Fact, about: &About) -> bool {
    subjects(fact, asked(fact).as_ref()).contains(&place(about))
}

/// Returns the same for what a participant's meter measured in a slot.
pub fn metered(participant: u32, slot: u32) -> Place {
    whole_page(BY_METERED, [participant, slot].map(u32::to_be_bytes).concat())
}

/// Returns the numbers of the participants about whom these rows find a leaf, perhaps several times.
pub fn participants(rows: &[IndexRow]) -> impl Iterator<Item = u32> {
    let number = |row: &IndexRow| row.page.first_chunk().map(|number| u32::from_be_bytes(*number));
    rows.iter().filter(|row| row.index == BY_PARTICIPANT).filter_map(number)
}

/// Returns everything that a fact is about.
fn subjects(fact: &Fact, asked: Option<&v1::Command>) -> Vec<Place> {
    let slot = |slot: u32| place(&About::Slot(slot));
    let trade = |trade: u64| place(&About::Trade(trade));
    match fact {
        Fact::Genesis(_) | Fact::Tick(_) | Fact::StateRecorded(_) => Vec::new(),
        Fact::Command(command) => {
            let orders = changed(command, asked).into_iter().map(order);
            command.participant.map(participant).into_iter().chain(orders).collect()
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

fn whole_page(index: u8, page: Vec<u8>) -> Place {
    Place { index, page, rest: Vec::new() }
}

/// Returns the page that a number shares with its 255 neighbours, and what tells it from them.
fn neighbourhood(number: u64) -> (Vec<u8>, Vec<u8>) {
    let [page @ .., rest] = number.to_be_bytes();
    (page.to_vec(), vec![rest])
}

fn participant(number: u32) -> Place {
    whole_page(BY_PARTICIPANT, number.to_be_bytes().to_vec())
}

fn order(id: v1::OrderId) -> Place {
    let (mut page, mut rest) = neighbourhood(id.index);
    page.extend_from_slice(&(id.position / POSITIONS_A_PAGE).to_be_bytes());
    rest.extend_from_slice(&id.position.to_be_bytes());
    Place { index: BY_ORDER, page, rest }
}

fn certificate(id: v1::CertificateId) -> Place {
    whole_page(BY_CERTIFICATE, [id.slot, id.producer, id.issue].map(u32::to_be_bytes).concat())
}

fn of_certificate<const N: usize>(id: Option<v1::CertificateId>, holders: [u32; N]) -> Vec<Place> {
    let id = id.unwrap_or_default();
    let named = [certificate(id), place(&About::Slot(id.slot))];
    named.into_iter().chain(holders.map(participant)).collect()
}

fn gec(id: v1::GecId) -> Place {
    whole_page(BY_GEC, [&id.index.to_be_bytes()[..], &id.position.to_be_bytes()].concat())
}

fn of_part(certificate: Option<v1::CertificateId>, holder: u32, national: Option<v1::GecId>) -> Vec<Place> {
    of_certificate(certificate, [holder]).into_iter().chain(national.map(gec)).collect()
}

/// Returns the orders that a command names, and that it puts in another's place.
fn changed(command: &v1::CommandLeaf, asked: Option<&v1::Command>) -> Vec<v1::OrderId> {
    let named = match asked.and_then(|asked| asked.kind.as_ref()) {
        Some(Kind::CancelOrder(cancel)) => cancel.order,
        Some(Kind::ReplaceOrder(replacement)) => replacement.order,
        _ => None,
    };
    let replacement = match command.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref()) {
        Some(outcome::Kind::Replaced(id)) => Some(*id),
        _ => None,
    };
    named.into_iter().chain(replacement).collect()
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
            let mut found = subjects(&fact, None);
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{fact:?}");
        }
    }
}
