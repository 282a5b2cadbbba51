//! A small market's day, and the folder that a node would make of it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::PoisonError,
};

use ed25519_dalek::{Signer, SigningKey};
use parkwatt::{apply::Replica, config::MarketFile, host::VKEY_FILE, index::rows_of, wire};
use parkwatt_engine::{SECONDS_PER_SLOT, Slot, Timestamp};
use parkwatt_ledger::{CheckpointSigner, JournalOptions, Ledger, OpenError, Origin, Store};
use parkwatt_proto::{
    COMMAND_TYPE, pre_authentication_encoding,
    v1::{self, command::Kind, leaf::Fact},
};
use prost::Message;
use tempfile::TempDir;

pub const SLOT: u32 = 1_978_000;
pub const OPERATOR: u8 = 1;
const ROOF: u8 = 2;
pub const ROOF_METER: u8 = 3;
pub const MILL: u8 = 4;
const MILL_METER: u8 = 5;
const NEXT: u8 = 6;

/// A small market's day: what a node would write, group by group.
pub struct Day {
    pub replica: Replica,
    pub groups: Vec<Vec<Vec<u8>>>,
    now: u64,
}

impl Day {
    pub fn whole() -> Day {
        let config = MarketFile::default().constitution(key(OPERATOR).verifying_key().to_bytes()).unwrap();
        let begin = Slot(SLOT).start().0 - 7_200_000_000;
        let (replica, genesis) = Replica::found(config, Timestamp(begin)).unwrap();
        let mut day = Day { replica, groups: vec![vec![genesis]], now: begin };
        day.enrol("roof", ROOF, v1::Role::Producer);
        day.enrol("mill", MILL, v1::Role::Consumer);
        day.ask(OPERATOR, Kind::Deposit(v1::Deposit { participant: "mill".into(), amount_fen: 100_000 }));
        day.order(ROOF, v1::Side::Offer, 400_000, 2000);
        day.order(MILL, v1::Side::Bid, 600_000, 1500);
        // Refused: the price is beyond the cap. An auditor sees refusals too.
        day.order(MILL, v1::Side::Bid, 6_000_000, 1500);
        day.now = Slot(SLOT).end().0;
        for (slot, counter, register) in [(SLOT - 1, 1, 0), (SLOT, 2, 1800)] {
            day.read(ROOF_METER, slot, counter, 0, register);
            day.read(MILL_METER, slot, counter, register, 0);
        }
        day.retire(1000);
        day
    }

    /// Lets the mill claim a part of what it bought.
    pub fn retire(&mut self, energy_wh: u64) {
        let retired = v1::RetireCertificates {
            slot: SLOT,
            energy_wh,
            consumption_slot: SLOT,
            beneficiary: "hall 3".into(),
            ..v1::RetireCertificates::default()
        };
        self.ask(MILL, Kind::RetireCertificates(retired));
    }

    /// Lets the operator withdraw the roof's first certificate.
    pub fn withdraw(&mut self) {
        let certificate = Some(v1::CertificateId { slot: SLOT, producer: 0, issue: 1 });
        let reason = "corrected".into();
        let withdrawn = v1::WithdrawCertificate { certificate, reason };
        self.ask(OPERATOR, Kind::WithdrawCertificate(withdrawn));
    }

    fn enrol(&mut self, name: &str, owner: u8, role: v1::Role) {
        let enrolled = v1::EnrolParticipant {
            name: name.into(),
            public_key: key(owner).verifying_key().to_bytes().to_vec(),
            meter_public_key: key(owner + 1).verifying_key().to_bytes().to_vec(),
            zone: "park".into(),
            roles: vec![role.into()],
            pv_capacity_w: 50_000,
            connection_capacity_w: 50_000,
            credit_limit_fen: 0,
        };
        self.ask(OPERATOR, Kind::EnrolParticipant(enrolled));
    }

    fn order(&mut self, owner: u8, side: v1::Side, limit_price_micros_per_kwh: i64, energy_wh: u64) {
        let order = v1::NewOrder {
            side: side.into(),
            slot: SLOT,
            limit_price_micros_per_kwh,
            energy_wh,
            ..v1::NewOrder::default()
        };
        self.ask(owner, Kind::PlaceOrders(v1::PlaceOrders { orders: vec![order], all_or_none: false }));
    }

    pub fn read(
        &mut self,
        meter: u8,
        slot: u32,
        counter: u64,
        import_register_wh: u64,
        export_register_wh: u64,
    ) {
        let reading = v1::SubmitReading {
            read_at_micros: Slot(slot).end().0,
            import_register_wh,
            export_register_wh,
            counter,
            quality: v1::Quality::Measured.into(),
            ..v1::SubmitReading::default()
        };
        self.ask(meter, Kind::SubmitReading(reading));
    }

    /// Lets days pass, until the next command.
    pub fn wait(&mut self, days: u64) {
        self.now += days * 86_400_000_000;
    }

    pub fn ask(&mut self, who: u8, kind: Kind) {
        self.now += 1_000_000;
        let mut group = Vec::new();
        while let Some(due) = self.replica.market().next_due().filter(|due| due.0 <= self.now) {
            group.extend(self.replica.tick(due).leaves);
        }
        let command = v1::Command {
            market: "park".into(),
            nonce: self.now,
            expires_at_micros: self.now + SECONDS_PER_SLOT * 1_000_000,
            kind: Some(kind),
        };
        let signed = sign(who, command.encode_to_vec());
        let by = key(who).verifying_key().to_bytes();
        let request = wire::parse(self.replica.market().config(), &signed.payload, by).unwrap();
        group.extend(self.replica.command(Timestamp(self.now), signed, request).leaves);
        self.groups.push(group);
    }

    /// Lets another key take the place of the mill's.
    pub fn rotate(&mut self) {
        let rotation = parkwatt_client::Signer::new(key(MILL), "park").rotation(&key(NEXT));
        self.ask(MILL, rotation);
    }

    /// Returns the index of the first leaf whose fact `is` what is looked for.
    pub fn find(&self, is: impl Fn(&Fact) -> bool) -> usize {
        self.groups.iter().flatten().position(|leaf| is(&fact(leaf))).unwrap()
    }

    /// Changes one leaf; whoever writes it signs it with the node's key.
    pub fn change(&mut self, index: usize, change: impl FnOnce(&mut Fact)) {
        let leaf = self.groups.iter_mut().flatten().nth(index).unwrap();
        let mut changed = v1::Leaf::decode(leaf.as_slice()).unwrap();
        change(changed.fact.as_mut().unwrap());
        *leaf = changed.encode_to_vec();
    }

    /// Writes the folder of a node: the journal with its first `journal` groups, the store with its first
    /// `store`.
    pub fn write(&self, journal: usize, store: usize) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let signer = CheckpointSigner::new(Origin::new("parkwatt/park").unwrap(), key(100));
        fs::write(dir.path().join(VKEY_FILE), format!("{}\n", signer.verifier().vkey())).unwrap();
        // So small that the day fills three segments, and a part of the last.
        let options = JournalOptions { segment_bytes: 20 << 10 };
        let _open = crate::LEDGERS.read().unwrap_or_else(PoisonError::into_inner);
        let mut ledger = Ledger::open(dir.path(), signer, &options, |_| Ok::<_, OpenError>(())).unwrap();
        let opened = (store > 0).then(|| Store::open(dir.path()).unwrap());
        let mut whole_journal = None;
        for (n, leaves) in self.groups.iter().enumerate().take(journal.max(store)) {
            if n == journal {
                whole_journal = Some(tempfile::tempdir().unwrap());
                copy(&dir.path().join("journal"), &whole_journal.as_ref().unwrap().path().join("journal"));
            }
            let group = ledger.append(leaves.clone()).unwrap();
            if let Some(opened) = opened.as_ref().filter(|_| n < store) {
                let rows = rows_of(&group);
                opened.apply(&[group], &rows).unwrap();
            }
        }
        drop(ledger);
        if let Some(opened) = opened {
            opened.flush().unwrap();
        }
        if let Some(earlier) = whole_journal {
            fs::remove_dir_all(dir.path().join("journal")).unwrap();
            copy(&earlier.path().join("journal"), &dir.path().join("journal"));
        }
        dir
    }

    pub fn write_whole(&self) -> TempDir {
        self.write(self.groups.len(), self.groups.len())
    }

    pub fn write_archive(&self) -> TempDir {
        self.write(self.groups.len(), 0)
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// Signs any bytes as a command of the key that is made of this seed.
pub fn sign(signer: u8, payload: Vec<u8>) -> v1::SignedCommand {
    let public_key = key(signer).verifying_key().to_bytes().to_vec();
    let signature = key(signer).sign(&pre_authentication_encoding(COMMAND_TYPE, &payload)).to_vec();
    v1::SignedCommand { payload, public_key, signature }
}

fn fact(leaf: &[u8]) -> Fact {
    v1::Leaf::decode(leaf).unwrap().fact.unwrap()
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files(from) {
        fs::write(to.join(path.file_name().unwrap()), fs::read(&path).unwrap()).unwrap();
    }
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files
}
