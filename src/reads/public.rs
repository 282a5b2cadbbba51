//! What of the ledger everybody may see proved.
//!
//! A proof shows its leaf, and a hash of each neighbouring part of the tree. A hash hides nothing that can be guessed:
//! who trades with whom is one of a few thousand guesses. So a leaf is shown only where it says nothing about anybody,
//! and where each of the hashes is over public leaves alone, or over at least one signed command, whose signature
//! nobody guesses. What an earlier checkpoint showed the half of must hold for the other half too: one hash can be
//! taken off the other. Private leaves alone hide nothing, however many: a settlement's follow from a few figures.
//! Knows leaves and checkpoints; does not know who asks.

use std::ops::Range;

use parkwatt_ledger::Store;
use parkwatt_proto::v1::{self, command, leaf::Fact, outcome};
use prost::Message;

use super::ledger::{Found, leaf};
use crate::refusal::Refused;

/// How many leaves are looked at, at most, until a part of the tree is known to be hidden, spread over it and then one
/// after another; nearly always the first is enough.
const LOOK_LEAVES_MAX: u64 = 512;
const SEARCH_LEAVES_MAX: u64 = 1 << 15;

/// How many leaves about a slot are looked through for public ones.
const PASS_OVER_LEAVES_MAX: usize = 10_000;

/// What a leaf shows through its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// Nothing about anybody.
    Public,
    /// Nothing that can be guessed.
    Sealed,
    /// Something that could be guessed.
    Guessable,
}

/// Returns whether everybody may see a leaf, and its proof in the tree of the first `size` leaves.
pub fn may_be_shown(store: &Store, size: u64, index: u64) -> Result<bool, Refused> {
    if index >= size || !is_public(&leaf(store, index)?) {
        return Ok(false);
    }
    for part in neighbours(size, index) {
        if !is_hidden(store, part)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns those of the leaves that were found which everybody may see proved. Of what is private, so much is passed
/// over at most; who wants more goes on behind the last that he got.
pub fn shown_of<'a>(store: &'a Store, size: u64, found: Found<'a>) -> Found<'a> {
    let shown = move |found: Result<(u64, Vec<u8>), Refused>| match found {
        Ok((index, leaf)) if is_public(&leaf) => match may_be_shown(store, size, index) {
            Ok(true) => Some(Ok((index, leaf))),
            Ok(false) => None,
            Err(problem) => Some(Err(problem)),
        },
        Ok(_) => None,
        Err(problem) => Some(Err(problem)),
    };
    Box::new(found.take(PASS_OVER_LEAVES_MAX).filter_map(shown))
}

/// Returns whether a leaf says nothing about anybody.
fn is_public(leaf: &[u8]) -> bool {
    shown(leaf) == Shown::Public
}

fn shown(leaf: &[u8]) -> Shown {
    match v1::Leaf::decode(leaf).ok().and_then(|leaf| leaf.fact) {
        Some(Fact::Genesis(_) | Fact::Tick(_) | Fact::PhaseBegan(_)) => Shown::Public,
        Some(Fact::AuctionCleared(it)) if it.passed_over.is_empty() => Shown::Public,
        Some(Fact::Command(it)) if publishes_tariffs(&it) => Shown::Public,
        Some(Fact::Command(_)) => Shown::Sealed,
        _ => Shown::Guessable,
    }
}

/// Returns whether a command has published tariffs: `GetMarket` tells everybody of those.
fn publishes_tariffs(it: &v1::CommandLeaf) -> bool {
    let payload = it.signed.as_ref().map(|signed| signed.payload.as_slice());
    let asked = payload.and_then(|payload| v1::Command::decode(payload).ok()?.kind);
    let became = it.outcome.as_ref().and_then(|outcome| outcome.kind.as_ref());
    matches!(asked, Some(command::Kind::PublishTariffs(_)))
        && matches!(became, Some(outcome::Kind::TariffsPublished(_)))
}

/// Returns whether the hash over some leaves shows nothing that is not public, also to who saw earlier checkpoints.
fn is_hidden(store: &Store, leaves: Range<u64>) -> Result<bool, Refused> {
    if !hides(store, leaves.clone())? {
        return Ok(false);
    }
    let Some(middle) = middle(&leaves) else { return Ok(true) };
    // When the tree ended there, the proof of the same leaf held the hash of the first half.
    let ended_there = store.checkpoint_at_least(middle)?.is_some_and(|it| it.size() == middle);
    if ended_there { is_hidden(store, middle..leaves.end) } else { Ok(true) }
}

/// Returns whether a hash over some leaves, by itself, shows nothing that is not public.
fn hides(store: &Store, leaves: Range<u64>) -> Result<bool, Refused> {
    // Spread over all of them first: behind a settlement there can be thousands of postings in a row.
    let step = (leaves.end - leaves.start).div_ceil(LOOK_LEAVES_MAX);
    if step > 1 {
        let spread = leaves.clone();
        for index in spread.step_by(usize::try_from(step).expect("a part of a tree is smaller than memory")) {
            if shown(&leaf(store, index)?) == Shown::Sealed {
                return Ok(true);
            }
        }
    }
    let searched = leaves.start..leaves.end.min(leaves.start + SEARCH_LEAVES_MAX);
    let mut are_all_public = searched == leaves;
    for index in searched {
        match shown(&leaf(store, index)?) {
            Shown::Sealed => return Ok(true),
            Shown::Guessable => are_all_public = false,
            Shown::Public => {}
        }
    }
    Ok(are_all_public)
}

/// Returns the leaves under each hash of an inclusion proof (RFC 6962, section 2.1.1).
fn neighbours(size: u64, index: u64) -> Vec<Range<u64>> {
    let mut parts = Vec::new();
    let mut tree = 0..size;
    while let Some(middle) = middle(&tree) {
        let (own, other) = if index < middle {
            (tree.start..middle, middle..tree.end)
        } else {
            (middle..tree.end, tree.start..middle)
        };
        parts.push(other);
        tree = own;
    }
    parts
}

/// Returns where a part of a tree is divided: behind the largest power of two below its size; nothing for a leaf.
fn middle(part: &Range<u64>) -> Option<u64> {
    let len = part.end - part.start;
    (len > 1).then(|| part.start + (1 << (u64::BITS - 1 - (len - 1).leading_zeros())))
}

#[cfg(test)]
mod tests {
    use parkwatt_ledger::{Tree, leaf_hash, verify_inclusion};

    use super::*;

    #[test]
    fn the_neighbours_are_those_of_the_proof() {
        for size in 1..40 {
            for index in 0..size {
                let parts = neighbours(size, index);
                // Together with the leaf they are the tree, each leaf once.
                let mut leaves: Vec<u64> = parts.iter().cloned().flatten().chain([index]).collect();
                leaves.sort_unstable();
                assert_eq!(leaves, (0..size).collect::<Vec<_>>());
                let hashes = parts.iter().rev().map(|part| {
                    let mut tree = Tree::default();
                    part.clone().for_each(|it| tree.append(leaf_hash(&it.to_be_bytes()), &mut Vec::new()));
                    tree.root()
                });
                let (mut whole, mut nodes) = (Tree::default(), Vec::new());
                (0..size).for_each(|it| whole.append(leaf_hash(&it.to_be_bytes()), &mut nodes));
                let proof: Vec<_> = hashes.collect();
                let leaf = leaf_hash(&index.to_be_bytes());
                let holds = verify_inclusion(&proof, size, whole.root(), index, leaf);
                assert_eq!(holds, Ok(()), "{index} of {size}");
            }
        }
    }

    #[test]
    fn what_names_somebody_is_not_public() {
        let leaf = |fact| v1::Leaf { at_micros: 1, fact: Some(fact) }.encode_to_vec();
        let pair = v1::OwnPair { bid: None, offer: None, energy_wh: 1 };
        let passed_over = v1::AuctionCleared { passed_over: vec![pair], ..v1::AuctionCleared::default() };
        for (fact, expected) in [
            (Fact::Genesis(v1::Genesis::default()), Shown::Public),
            (Fact::PhaseBegan(v1::PhaseBegan::default()), Shown::Public),
            (Fact::AuctionCleared(v1::AuctionCleared::default()), Shown::Public),
            (Fact::AuctionCleared(passed_over), Shown::Guessable),
            (Fact::TradeMade(v1::Trade::default()), Shown::Guessable),
            (Fact::Posted(v1::Posting::default()), Shown::Guessable),
            (Fact::Metered(v1::Metered::default()), Shown::Guessable),
            (Fact::StateRecorded(v1::StateRecorded::default()), Shown::Guessable),
            (Fact::Command(v1::CommandLeaf::default()), Shown::Sealed),
        ] {
            assert_eq!(shown(&leaf(fact.clone())), expected, "{fact:?}");
        }
        assert_eq!(shown(b"no leaf"), Shown::Guessable);
    }
}
