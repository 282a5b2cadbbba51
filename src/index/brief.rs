//! What of a command's leaf its rows follow from. The orders of a schedule and the answers to them, which are nearly all
//! of it, are passed over unread.
//!
//! Knows some fields of the contract's messages by their numbers; a test compares them with the contract's own words.

use parkwatt_proto::v1;
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct LeafBrief {
    #[prost(message, optional, tag = "3")]
    command: Option<CommandBrief>,
}

/// Of a [`v1::CommandLeaf`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct CommandBrief {
    #[prost(message, optional, tag = "1")]
    pub(super) signed: Option<v1::SignedCommand>,
    #[prost(message, optional, tag = "2")]
    outcome: Option<OutcomeBrief>,
    #[prost(uint32, optional, tag = "4")]
    pub(super) participant: Option<u32>,
}

/// Of a [`v1::Outcome`].
#[derive(Clone, PartialEq, Message)]
struct OutcomeBrief {
    #[prost(message, optional, tag = "1")]
    rejected: Option<v1::Rejection>,
    #[prost(message, optional, tag = "9")]
    replaced: Option<v1::OrderId>,
}

/// Of a [`v1::Command`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct Asked {
    #[prost(uint64, tag = "2")]
    pub(super) nonce: u64,
    #[prost(message, optional, tag = "13")]
    cancel: Option<v1::CancelOrder>,
    #[prost(message, optional, tag = "16")]
    replace: Option<v1::ReplaceOrder>,
}

/// Returns what a leaf says of a command, if it records one.
pub(super) fn of_leaf(leaf: &[u8]) -> Option<CommandBrief> {
    LeafBrief::decode(leaf).ok()?.command
}

/// Returns the same of a leaf that was read whole.
pub(super) fn of(command: &v1::CommandLeaf) -> CommandBrief {
    let bytes = command.encode_to_vec();
    CommandBrief::decode(bytes.as_slice()).expect("its fields are some of the whole one's")
}

impl CommandBrief {
    /// Returns the command as it was asked.
    pub(super) fn asked(&self) -> Option<Asked> {
        Asked::decode(self.signed.as_ref()?.payload.as_slice()).ok()
    }

    /// Returns why a rule refused it, if one did.
    pub(super) fn rejection(&self) -> Option<&v1::Rejection> {
        self.outcome.as_ref()?.rejected.as_ref()
    }

    /// Returns the orders that it names, and that it puts in another's place.
    pub(super) fn orders(&self, asked: Option<&Asked>) -> impl Iterator<Item = v1::OrderId> + use<> {
        let cancelled = asked.and_then(|asked| asked.cancel.as_ref()?.order);
        let replaced = asked.and_then(|asked| asked.replace.as_ref()?.order);
        let replacement = self.outcome.as_ref().and_then(|outcome| outcome.replaced);
        [cancelled, replaced, replacement].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use parkwatt_proto::v1::{command::Kind, leaf::Fact, outcome};

    use super::*;

    #[test]
    fn what_is_read_is_what_the_contract_says() {
        let id = |index| v1::OrderId { index, position: 3 };
        let why = v1::Rejection { code: "NONCE_MUST_RISE".into(), ..v1::Rejection::default() };
        let place = v1::PlaceOrders { orders: vec![v1::NewOrder::default(); 3], all_or_none: true };
        let cancel = v1::CancelOrder { order: Some(id(4)) };
        let replace = v1::ReplaceOrder { order: Some(id(5)), ..v1::ReplaceOrder::default() };
        let answers = v1::Placed { orders: vec![v1::OrderAnswer::default(); 3] };
        for (kind, outcome, orders) in [
            (Kind::PlaceOrders(place.clone()), outcome::Kind::Placed(answers), vec![]),
            (Kind::PlaceOrders(place), outcome::Kind::Rejected(why.clone()), vec![]),
            (Kind::CancelOrder(cancel), outcome::Kind::Cancelled(v1::Cancelled::default()), vec![id(4)]),
            (Kind::ReplaceOrder(replace), outcome::Kind::Replaced(id(6)), vec![id(5), id(6)]),
        ] {
            let command =
                v1::Command { nonce: 77, kind: Some(kind), market: "park".into(), ..Default::default() };
            let signed = v1::SignedCommand {
                payload: command.encode_to_vec(),
                public_key: vec![1; 32],
                signature: vec![2; 64],
            };
            let is_rejected = matches!(outcome, outcome::Kind::Rejected(_));
            let whole = v1::CommandLeaf {
                signed: Some(signed.clone()),
                outcome: Some(v1::Outcome { kind: Some(outcome) }),
                events: 9,
                participant: Some(0),
            };
            let leaf = v1::Leaf { at_micros: 8, fact: Some(Fact::Command(whole.clone())) };
            let brief = of_leaf(&leaf.encode_to_vec()).unwrap();
            assert_eq!(brief, of(&whole));
            assert_eq!((brief.signed.as_ref(), brief.participant), (Some(&signed), Some(0)));
            assert_eq!(brief.rejection(), is_rejected.then_some(&why));
            let asked = brief.asked().unwrap();
            assert_eq!((asked.nonce, brief.orders(Some(&asked)).collect()), (77, orders));
        }
        let tick = v1::Leaf { at_micros: 8, fact: Some(Fact::Tick(v1::Tick { events: 3 })) };
        assert_eq!(of_leaf(&tick.encode_to_vec()), None);
    }
}
