//! What a node makes of the files it is started on, found out from outside.

use std::{collections::BTreeMap, fs, path::PathBuf, process::ExitStatus, time::Duration};

use parkwatt::{EXIT_CANNOT_OPEN, EXIT_DISK};
use parkwatt_client::{ClientError, Connection};
use parkwatt_proto::v1::{Deposit, ListEntriesRequest, command::Kind};

use crate::{
    ledger::{Ledger, dir, segments},
    node::{Node, Place},
};

/// How long between two looks at what a node has done.
const LOOK: Duration = Duration::from_millis(1);

/// What a node makes of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// Everything is there, and the market goes on. The store was found equal.
    Whole,
    /// The same, after the store was brought up to the journal, or made anew.
    Repaired,
    /// The market can be read as far as it was verified, and takes nothing; this is what it says.
    ReadOnly(String),
    /// Not even its beginning can be read: the node says this, and ends.
    NotStarted(String),
}

impl Opened {
    /// Returns whether everything is there and the market goes on.
    pub fn is_whole(&self) -> bool {
        matches!(self, Opened::Whole | Opened::Repaired)
    }

    /// Returns what the node says is wrong; nothing where it goes on.
    pub fn said(&self) -> &str {
        match self {
            Opened::Whole | Opened::Repaired => "",
            Opened::ReadOnly(said) | Opened::NotStarted(said) => said,
        }
    }
}

/// How often each thing happened.
#[derive(Debug, Default)]
pub struct Counts {
    pub whole: u32,
    pub repaired: u32,
    pub read_only: u32,
    pub not_started: u32,
}

impl Counts {
    pub fn count(&mut self, opened: &Opened) {
        *match opened {
            Opened::Whole => &mut self.whole,
            Opened::Repaired => &mut self.repaired,
            Opened::ReadOnly(_) => &mut self.read_only,
            Opened::NotStarted(_) => &mut self.not_started,
        } += 1;
    }

    /// Prints them, and returns how many cases there were.
    pub fn print(&self, what: &str) -> u32 {
        let Counts { whole, repaired, read_only, not_started } = self;
        let cases = whole + repaired + read_only + not_started;
        println!(
            "{what}: {cases} cases; {whole} harmless, {repaired} found and repaired, {read_only} found and \
             read-only, {not_started} found and not started"
        );
        cases
    }
}

/// Starts a node in a place to which something has happened, and checks that it is right about all that it says.
pub async fn open(ledger: &Ledger, place: &Place) -> Opened {
    let before = journal(place);
    let node = match start(place) {
        Ok(node) => node,
        Err(ended) => {
            let said = last_line(place);
            assert_eq!(ended.code(), Some(i32::from(EXIT_CANNOT_OPEN)), "{said}");
            assert!(journal(place) == before, "a journal that is refused is not touched: {said}");
            return Opened::NotStarted(said);
        }
    };
    let connection = Connection::open(&node.url()).await.unwrap();
    let mut operator = ledger.operator.clone();
    let asked = operator.sign(Kind::Deposit(Deposit { participant: "ann".into(), amount_fen: 1 }));
    match connection.submit(asked).await {
        Ok(receipt) => {
            assert_eq!(receipt.leaf_index, ledger.size(), "{}", place.log());
            check_whole(ledger, &connection).await;
            stop(node, place);
            if last_opening(place).contains("store=as the journal") {
                Opened::Whole
            } else {
                Opened::Repaired
            }
        }
        Err(ClientError::Refused { reason, message, .. }) => {
            assert_eq!(reason, "READ_ONLY", "{message}");
            check_read_only(ledger, &connection).await;
            stop(node, place);
            assert!(journal(place) == before, "a journal that can only be read is not touched");
            Opened::ReadOnly(message)
        }
        Err(other) => panic!("{other}: {}", place.log()),
    }
}

/// Starts a node, and returns when it has read what lies before its snapshot. If that does not fit the node ends, and
/// is started again, as an operator's tools do.
pub fn start(place: &Place) -> Result<Node, ExitStatus> {
    let ended = match place.try_start() {
        Ok(mut node) => {
            let is_read_only = place.log().contains("the market is read-only");
            while !is_read_only && dir(place).join("unchecked").exists() && node.ended().is_none() {
                std::thread::sleep(LOOK);
            }
            match node.ended() {
                Some(ended) => ended,
                None => return Ok(node),
            }
        }
        Err(ended) => ended,
    };
    if ended.code() != Some(i32::from(EXIT_DISK)) {
        return Err(ended);
    }
    place.try_start()
}

/// Checks that every leaf is what it was, and that the same bytes get the receipt that they got.
async fn check_whole(ledger: &Ledger, connection: &Connection) {
    let mut expected = ledger.groups.iter().flat_map(|group| &group.leaves);
    let mut from_index = 0;
    while from_index < ledger.size() {
        let asked = ListEntriesRequest { from_index, count: 1_000, ..ListEntriesRequest::default() };
        let page = connection.entries(&ledger.operator.session("park", 600), asked).await.unwrap();
        from_index = page.leaf_indices.last().unwrap() + 1;
        let left = expected.by_ref().take(page.entries.len());
        assert!(left.zip(&page.entries).all(|(expected, found)| expected == found));
    }
    let middle = ledger.acknowledged.len() / 2;
    for (signed, index) in
        [&ledger.acknowledged[0], &ledger.acknowledged[middle], ledger.acknowledged.last().unwrap()]
    {
        let receipt = connection.submit(signed.clone()).await.unwrap();
        assert_eq!((receipt.leaf_index, receipt.repeated_command), (*index, true));
    }
}

/// Checks that what is shown is the market as it once was, under a checkpoint that was really given.
async fn check_read_only(ledger: &Ledger, connection: &Connection) {
    let shown = connection.checkpoint("park").await.unwrap();
    let given = ledger.groups.iter().map(|group| &group.checkpoint);
    let given: BTreeMap<u64, &str> = given.map(|checkpoint| (checkpoint.size(), checkpoint.note())).collect();
    assert_eq!(given.get(&shown.tree_size), Some(&shown.note.as_str()));
    connection.market("park").await.unwrap();
    connection.tape("park", None, 10).await.unwrap();
}

/// Returns what the last node that opened the market has said of how it did.
pub fn last_opening(place: &Place) -> String {
    let log = place.log();
    log.lines().rfind(|line| line.contains("market opened")).unwrap().to_owned()
}

/// Ends a node, which has nothing left to do.
fn stop(mut node: Node, place: &Place) {
    assert_eq!(node.stop().code(), Some(0), "{}", place.log());
}

fn journal(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    segments(&dir(place)).into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// Returns the last line of what the nodes of a place have logged.
pub fn last_line(place: &Place) -> String {
    place.log().lines().last().unwrap_or_default().to_owned()
}
