//! The ledger to which things happen: that of a small market, as its node has left it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use parkwatt::audit::verifier_of;
use parkwatt_client::Connection;
use parkwatt_ledger::{Group, Reader, Signatures, Store, journal_dir};
use parkwatt_proto::v1::{NewOrder, Side, SignedCommand};

use crate::{
    market::{LIMIT, Market, Person, order, place},
    node::Place,
};

/// The shortest segments there are, so that the ledger has several.
pub const SEGMENT_BYTES: u64 = 65_536;
/// Behind how many leaves a snapshot is kept: so few, that there are several, and most leaves lie before the last.
pub const SNAPSHOT_LEAVES: u64 = 20;
/// How many orders are placed, each in a group of its own.
const ORDERS: u64 = 40;

/// What is done to the market in a folder.
pub type Harm<'a> = &'a dyn Fn(&Path);

/// A ledger, and what a node must know that is started on it.
pub struct Ledger {
    pub place: Place,
    /// A copy of everything, from when half of the orders were placed.
    pub older: Place,
    /// Its groups.
    pub groups: Vec<Group>,
    /// Commands that were acknowledged, each with the index in its receipt.
    pub acknowledged: Vec<(SignedCommand, u64)>,
    /// Who may read everything, and whose next command is not taken yet.
    pub operator: Person,
}

impl Ledger {
    /// Returns the ledger of a market in which two people have traded, and whose node was stopped.
    pub async fn new() -> Ledger {
        let settings = format!("segment_bytes = {SEGMENT_BYTES}\nsnapshot_leaves = {SNAPSHOT_LEAVES}");
        let mut market = Market::found_with(&settings).await;
        let mut people = [market.enrol_trader("ann").await, market.enrol_trader("bob").await];
        let mut acknowledged = Vec::new();
        let older = market.place.another();
        for n in 0..ORDERS {
            if n == ORDERS / 2 {
                assert_eq!(market.node.stop().code(), Some(0), "{}", market.place.log());
                copy_dir(&market.place.data(), &older.data());
                market.node = market.place.start();
                market.connection = Connection::open(&market.node.url()).await.unwrap();
            }
            let (person, side) = if n % 2 == 0 { (0, Side::Offer) } else { (1, Side::Bid) };
            let limit_price_micros_per_kwh = LIMIT + if side == Side::Bid { 100_000 } else { 0 };
            let asked = NewOrder { energy_wh: 10 + n, limit_price_micros_per_kwh, ..order(side) };
            let signed = people[person].sign(place(&[asked]));
            let receipt = market.connection.submit(signed.clone()).await.unwrap();
            acknowledged.push((signed, receipt.leaf_index));
        }
        assert_eq!(market.node.stop().code(), Some(0), "{}", market.place.log());
        let Market { place, operator, .. } = market;
        let mut ledger = Ledger { place, older, groups: Vec::new(), acknowledged, operator };
        let verifier = verifier_of(&ledger.dir()).unwrap();
        let reader = Reader::open(&journal_dir(&ledger.dir()), &verifier, Signatures::Every).unwrap();
        ledger.groups = reader.map(Result::unwrap).collect();
        assert!(ledger.segments().len() > 2);
        ledger
    }

    /// Returns the ledger as it was when half of the orders were placed.
    pub fn half(&self) -> Ledger {
        let place = self.older.another();
        copy_dir(&self.older.data(), &place.data());
        make_writable(&dir(&place));
        let half = self.acknowledged.len() / 2;
        let size = self.acknowledged[half].1;
        let groups = self.groups.iter().filter(|group| group.first_index < size).cloned().collect();
        Ledger {
            place,
            older: self.older.another(),
            groups,
            acknowledged: self.acknowledged[..half].to_vec(),
            operator: self.operator.clone(),
        }
    }

    /// Returns the market's folder.
    pub fn dir(&self) -> PathBuf {
        dir(&self.place)
    }

    /// Returns how many leaves it has.
    pub fn size(&self) -> u64 {
        self.groups.last().unwrap().end_index()
    }

    /// Returns the journal's segments, in order.
    pub fn segments(&self) -> Vec<PathBuf> {
        segments(&self.dir())
    }

    /// Returns a place with a copy of everything.
    pub fn copy(&self) -> Place {
        let place = self.place.another();
        copy_dir(&self.place.data(), &place.data());
        make_writable(&dir(&place));
        place
    }
}

/// Returns the folder of a place's market.
pub fn dir(place: &Place) -> PathBuf {
    place.data().join("park")
}

/// Returns the segments of the journal in a market's folder, in order.
pub fn segments(dir: &Path) -> Vec<PathBuf> {
    let journal = journal_dir(dir);
    let mut files = if journal.exists() { files(&journal) } else { Vec::new() };
    files.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    files
}

/// Returns the folder of a market's store.
pub fn store(dir: &Path) -> PathBuf {
    Store::path(dir)
}

/// Returns the files below a folder, in order.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            let (path, is_dir) = (entry.path(), entry.file_type().unwrap().is_dir());
            if is_dir { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Copies a folder with everything in it.
pub fn copy_dir(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

/// Lets the journal of a market's folder be written to: a fault does not ask for permission.
fn make_writable(dir: &Path) {
    for path in segments(dir) {
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "the file is the test's own")]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions).unwrap();
    }
}

/// What groups begin at.
pub const BLOCK: u64 = 4096;

/// Returns where the last group of a segment ends.
pub fn used(segment: &Path) -> u64 {
    let bytes = fs::read(segment).unwrap();
    (bytes.iter().rposition(|&byte| byte != 0).unwrap() as u64 + 1).next_multiple_of(BLOCK)
}

/// Writes over a part of a file.
pub fn overwrite(path: &Path, bytes: &[u8], offset: u64) {
    File::options().write(true).open(path).unwrap().write_all_at(bytes, offset).unwrap();
}

/// Makes a file as long as this.
pub fn set_len(path: &Path, len: u64) {
    File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}
