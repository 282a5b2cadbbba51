//! Leaves, read once in the order of the log, and every command's signature checked on all cores.
//!
//! Knows leaves and signatures; does not know what a command does, or which folder it comes from.
//! Keeps: leaves are handed on in the order of the log, each only after it was checked; however long the log,
//! only a few blocks of it are in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use parkwatt_ledger::{Hash, ReadError, Reader, Scanned};
use parkwatt_proto::{
    COMMAND_TYPE,
    v1::{self, leaf::Fact},
};
use prost::Message;

use super::verdict::per_second;
use crate::{authenticate::authenticate, wire};

/// How many leaves are checked at once: so many that handing them over costs nothing, so few that all cores
/// have some.
const BLOCK_LEAVES_MAX: usize = 256;
/// After how many bytes a block is closed.
const BLOCK_BYTES_MAX: usize = 1 << 20;
/// How many blocks wait for each core.
const BLOCKS_PER_CORE: usize = 2;

/// Leaves that are checked together.
#[derive(Default)]
pub(super) struct Block {
    /// The index of the first.
    pub(super) first_index: u64,
    pub(super) leaves: Vec<Vec<u8>>,
    /// The bytes of the journal up to here.
    pub(super) bytes_read: u64,
    bytes: usize,
}

/// What the check of a block has found.
#[derive(Default)]
pub(super) struct Checked {
    /// The commands in it.
    pub(super) commands: u64,
    /// The commands among them whose signature holds.
    pub(super) authentic: u64,
    /// What is wrong, in order, each beginning with its leaf.
    pub(super) faults: Vec<String>,
    /// How long the commands' signatures took, on one core.
    pub(super) authenticating: Duration,
}

/// What a journal as a whole is.
pub(super) struct ReadThrough {
    /// Where and how it ends.
    pub(super) scanned: Result<Scanned, ReadError>,
    /// The groups that were read.
    pub(super) groups: u64,
    /// The roots at the sizes that were asked for, as far as it was read.
    pub(super) roots: BTreeMap<u64, Hash>,
}

struct Job {
    block: Arc<Block>,
    answer: SyncSender<Checked>,
}

struct Pending {
    block: Arc<Block>,
    answer: Receiver<Checked>,
}

/// Reads a journal to its end, or to its first fault, and hands each block with what was found in it to
/// `each`; notes the roots at these `sizes`.
pub(super) fn read_through(
    reader: Reader,
    sizes: &BTreeSet<u64>,
    mut each: impl FnMut(&Block, Checked),
) -> ReadThrough {
    let cores = cores();
    let (jobs, queue) = sync_channel(BLOCKS_PER_CORE * cores);
    let (in_order, blocks) = sync_channel::<Pending>(2 * BLOCKS_PER_CORE * cores);
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| check_all(&queue));
        }
        let reading = scope.spawn(move || read_all(reader, sizes, &jobs, &in_order));
        for pending in blocks {
            let checked = pending.answer.recv().expect("each job is answered before its worker ends");
            each(&pending.block, checked);
        }
        reading.join().expect("reading ends with a result")
    })
}

/// Returns how many commands a second all cores would check if they did nothing but their signatures, which took
/// `authenticating`, of all cores together. Never less than were checked: signatures are a part of the whole.
pub(super) fn bare_signatures_per_s(commands: u64, authenticating: Duration) -> Option<u64> {
    let cores = u32::try_from(cores()).unwrap_or(u32::MAX);
    (commands > 0).then(|| per_second(commands, authenticating / cores))
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

fn read_all(
    mut reader: Reader,
    sizes: &BTreeSet<u64>,
    jobs: &SyncSender<Job>,
    in_order: &SyncSender<Pending>,
) -> ReadThrough {
    let mut block = Block::default();
    let (mut groups, mut roots) = (0, BTreeMap::new());
    let fault = loop {
        let before = reader.tree().clone();
        let group = match reader.next() {
            None => break None,
            Some(Err(fault)) => break Some(fault),
            Some(Ok(group)) => group,
        };
        groups += 1;
        let here = sizes.range(group.first_index + 1..=group.end_index());
        roots.extend(here.filter_map(|&size| Some((size, group.root_at(&before, size)?))));
        for leaf in group.leaves {
            block.bytes += leaf.len();
            block.leaves.push(leaf);
            if block.leaves.len() >= BLOCK_LEAVES_MAX || block.bytes >= BLOCK_BYTES_MAX {
                block = hand_over(block, reader.bytes_read(), jobs, in_order);
            }
        }
    };
    hand_over(block, reader.bytes_read(), jobs, in_order);
    ReadThrough { scanned: fault.map_or_else(|| reader.finish(), Err), groups, roots }
}

/// Hands a block to whichever core is free, and to who waits for it in the log's order; returns the next
/// block.
fn hand_over(
    mut block: Block,
    bytes_read: u64,
    jobs: &SyncSender<Job>,
    in_order: &SyncSender<Pending>,
) -> Block {
    block.bytes_read = bytes_read;
    let next = Block { first_index: block.first_index + block.leaves.len() as u64, ..Block::default() };
    let block = Arc::new(block);
    let (answer, answered) = sync_channel(1);
    // The job first: who waits for the oldest block must never wait for one that nobody has been given.
    jobs.send(Job { block: block.clone(), answer }).expect("workers live as long as there are jobs");
    in_order.send(Pending { block, answer: answered }).expect("every block is waited for");
    next
}

fn check_all(queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { block, answer }) = job else { return };
        // Nobody waits only if the auditor itself has failed.
        let _ = answer.send(check(&block));
    }
}

fn check(block: &Block) -> Checked {
    let mut checked = Checked::default();
    for (index, leaf) in (block.first_index..).zip(&block.leaves) {
        let wrong = match v1::Leaf::decode(leaf.as_slice()).map(|leaf| leaf.fact) {
            Err(problem) => Some(format!("is no leaf: {problem}")),
            Ok(None) => Some("states no fact".to_owned()),
            Ok(Some(Fact::Genesis(_))) if index > 0 => {
                Some("founds a market in the middle of a log".to_owned())
            }
            Ok(Some(fact)) if index == 0 && !matches!(fact, Fact::Genesis(_)) => {
                Some("the first leaf must found the market".to_owned())
            }
            Ok(Some(Fact::Command(command))) => checked.take(command),
            Ok(Some(_)) => None,
        };
        checked.faults.extend(wrong.map(|wrong| format!("leaf {index}: {wrong}")));
    }
    checked
}

impl Checked {
    /// Checks a command's signature, and a new key's in it, and returns what is wrong with them.
    fn take(&mut self, command: v1::CommandLeaf) -> Option<String> {
        self.commands += 1;
        let signed = command.signed.unwrap_or_default();
        let begin = Instant::now();
        let authentic = authenticate(COMMAND_TYPE, &signed.payload, &signed.public_key, &signed.signature);
        self.authenticating += begin.elapsed();
        if let Err(problem) = authentic {
            return Some(format!("a command that nobody has signed: {problem}"));
        }
        if let Err(problem) = wire::check_consent(&signed) {
            return Some(format!("a rotation to which the new key has not consented: {problem}"));
        }
        self.authentic += 1;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};
    use parkwatt_ledger::{
        CheckpointSigner, JournalOptions, Ledger, OpenError, Origin, Signatures, journal_dir,
    };
    use parkwatt_proto::pre_authentication_encoding;

    fn leaf(fact: Fact) -> Vec<u8> {
        v1::Leaf { at_micros: 1, fact: Some(fact) }.encode_to_vec()
    }

    fn command(payload: &[u8]) -> Vec<u8> {
        let key = SigningKey::from_bytes(&[9; 32]);
        let signed = v1::SignedCommand {
            payload: payload.to_vec(),
            public_key: key.verifying_key().to_bytes().to_vec(),
            signature: key.sign(&pre_authentication_encoding(COMMAND_TYPE, payload)).to_vec(),
        };
        leaf(Fact::Command(v1::CommandLeaf { signed: Some(signed), ..Default::default() }))
    }

    /// Writes groups to a journal, reads them, and returns the leaves in the order they came, and all faults.
    fn read(groups: &[Vec<Vec<u8>>]) -> (Vec<Vec<u8>>, Vec<String>, u64) {
        let dir = tempfile::tempdir().unwrap();
        let signer =
            CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), SigningKey::from_bytes(&[7; 32]));
        let verifier = signer.verifier();
        let options = JournalOptions { segment_bytes: 1 << 16 };
        let mut ledger = Ledger::open(dir.path(), signer, &options, |_| Ok::<_, OpenError>(())).unwrap();
        for group in groups {
            ledger.append(group.clone()).unwrap();
        }
        let reader = Reader::open(&journal_dir(dir.path()), &verifier, Signatures::Every).unwrap();
        let (mut leaves, mut faults, mut commands) = (Vec::new(), Vec::new(), 0);
        let read = read_through(reader, &BTreeSet::new(), |block, checked| {
            assert_eq!(block.first_index, leaves.len() as u64);
            leaves.extend(block.leaves.iter().cloned());
            faults.extend(checked.faults);
            commands += checked.commands;
        });
        assert_eq!(read.groups, groups.len() as u64);
        assert_eq!(read.scanned.unwrap().tree.size(), leaves.len() as u64);
        (leaves, faults, commands)
    }

    #[test]
    fn leaves_come_in_the_order_of_the_log_whatever_its_groups() {
        let mut all = vec![leaf(Fact::Genesis(v1::Genesis::default()))];
        all.extend((0..900_u32).map(|n| command(&n.to_le_bytes())));
        let groups: Vec<_> = all.chunks(130).map(<[Vec<u8>]>::to_vec).collect();
        assert_eq!(read(&groups), (all.clone(), vec![], 900));
        assert_eq!(read(&[all.clone()]), (all, vec![], 900));
    }

    #[test]
    fn each_leaf_that_is_wrong_is_named_with_its_index() {
        let mut forged = command(b"sell");
        let at = forged.windows(4).position(|bytes| bytes == b"sell").unwrap();
        forged[at] = b'b';
        let log = vec![
            command(b"buy"),
            vec![0xff],
            forged,
            leaf(Fact::Genesis(v1::Genesis::default())),
            v1::Leaf { at_micros: 1, fact: None }.encode_to_vec(),
            command(b"buy"),
        ];
        let (_, faults, commands) = read(&[log]);
        let said: Vec<_> = faults.iter().map(|fault| fault.get(..22).unwrap()).collect();
        assert_eq!(
            said,
            [
                "leaf 0: the first leaf",
                "leaf 1: is no leaf: fa",
                "leaf 2: a command that",
                "leaf 3: founds a marke",
                "leaf 4: states no fact"
            ]
        );
        // The first is not counted: it is in the wrong place to be looked at.
        assert_eq!(commands, 2);
    }

    #[test]
    fn signatures_are_measured_only_where_there_are_some() {
        assert_eq!(bare_signatures_per_s(0, Duration::ZERO), None);
        let all_cores = Duration::from_secs(2) * u32::try_from(cores()).unwrap();
        assert_eq!(bare_signatures_per_s(3000, all_cores), Some(1500));
    }
}
