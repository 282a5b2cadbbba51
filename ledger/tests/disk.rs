//! Every call by which a journal is written fails once, in every way it can: nothing acknowledged is lost, and
//! nothing is written any more.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod sample;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use parkwatt_ledger::{AppendError, Disk, Ledger, OpenError, ReadError, RealDisk, Tail, journal_dir};
use sample::{audit, leaves, segments, signer, small};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A call of [`Disk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    Create,
    Open,
    Write,
    SyncData,
    SyncAll,
    SetLen,
    SetReadonly,
    Rename,
    Remove,
    SyncDir,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing is done, and an error says so.
    Refused(i32),
    /// It is done, and an error says that it is not.
    DoneAndDenied,
    /// Of a write only so many eighths of it reach the file, and so many bytes more.
    Short { eighths: usize, bytes: usize },
    /// A sync fails, and what was written since the last one reads as it did before.
    Reverted,
    /// A sync fails, and what was written since the last one is read until the power goes, and is gone then.
    LostWithThePower,
}

/// A file system whose `nth` call of a kind fails.
///
/// A sync makes nothing durable here, it only says what would be: no test takes the power away.
#[derive(Debug)]
struct FaultyDisk {
    fault: Option<(Call, u32, Fault)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<Call, u32>,
    /// What was written and not synced since.
    unsynced: Vec<Piece>,
    /// What a failed sync has given up: it is read until the power goes.
    given_up: Vec<Piece>,
}

/// A place that was written to, and what was there before.
#[derive(Debug)]
struct Piece {
    file: File,
    offset: u64,
    before: Vec<u8>,
}

impl Piece {
    fn is_of(&self, file: &File) -> bool {
        self.file.metadata().unwrap().ino() == file.metadata().unwrap().ino()
    }

    fn revert(&self) {
        self.file.write_all_at(&self.before, self.offset).unwrap();
    }
}

impl FaultyDisk {
    fn new(fault: Option<(Call, u32, Fault)>) -> Arc<FaultyDisk> {
        Arc::new(FaultyDisk { fault, state: Mutex::default() })
    }

    /// Counts a call, and returns how it fails if it does.
    fn fault(&self, call: Call) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let calls = state.calls.entry(call).or_default();
        *calls += 1;
        self.fault.filter(|(failing, nth, _)| (*failing, *nth) == (call, *calls)).map(|(_, _, fault)| fault)
    }

    fn call<T>(&self, call: Call, done: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.fault(call) {
            None => done(),
            Some(Fault::Refused(code)) => Err(io::Error::from_raw_os_error(code)),
            Some(Fault::DoneAndDenied) => done().and(Err(io::Error::from_raw_os_error(EIO))),
            Some(fault) => panic!("{call:?} cannot fail as {fault:?}"),
        }
    }

    fn sync(&self, call: Call, file: &File) -> io::Result<()> {
        let fault = self.fault(call);
        let mut state = self.state.lock().unwrap();
        let (of_file, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.unsynced).into_iter().partition(|piece| piece.is_of(file));
        state.unsynced = others;
        match fault {
            None => return Ok(()),
            Some(Fault::Reverted) => of_file.iter().rev().for_each(Piece::revert),
            Some(Fault::LostWithThePower) => state.given_up.extend(of_file),
            Some(_) => {}
        }
        Err(io::Error::from_raw_os_error(EIO))
    }

    /// Takes the power away: whatever was given up, and not written and synced again, is gone.
    fn power_goes(&self) -> usize {
        let given_up = std::mem::take(&mut self.state.lock().unwrap().given_up);
        given_up.iter().rev().for_each(Piece::revert);
        given_up.len()
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.call(Call::Create, || RealDisk.create(path))
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        self.call(Call::Open, || RealDisk.open(path))
    }

    fn write_all_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (written, said) = match self.fault(Call::Write) {
            None => (bytes.len(), Ok(())),
            Some(Fault::Refused(code)) => (0, Err(io::Error::from_raw_os_error(code))),
            Some(Fault::Short { eighths, bytes: more }) => {
                let written = (bytes.len() / 8 * eighths + more).min(bytes.len());
                (written, Err(io::Error::from_raw_os_error(ENOSPC)))
            }
            Some(fault) => panic!("a write cannot fail as {fault:?}"),
        };
        let mut before = vec![0; written];
        // OK because: what was not there before reads as zeros.
        let _ = file.read_at(&mut before, offset)?;
        file.write_all_at(&bytes[..written], offset)?;
        let mut state = self.state.lock().unwrap();
        let end = offset + written as u64;
        state.given_up.retain(|piece| {
            let is_written_again = piece.is_of(file)
                && offset <= piece.offset
                && piece.offset + piece.before.len() as u64 <= end;
            !is_written_again
        });
        state.unsynced.push(Piece { file: file.try_clone()?, offset, before });
        said
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.sync(Call::SyncData, file)
    }

    fn sync_all(&self, file: &File) -> io::Result<()> {
        self.sync(Call::SyncAll, file)
    }

    fn set_len(&self, file: &File, len: u64) -> io::Result<()> {
        self.call(Call::SetLen, || RealDisk.set_len(file, len))
    }

    fn set_readonly(&self, file: &File) -> io::Result<()> {
        self.call(Call::SetReadonly, || RealDisk.set_readonly(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Call::Rename, || RealDisk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call(Call::Remove, || RealDisk.remove(path))
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.call(Call::SyncDir, || Ok(()))
    }
}

/// The ways in which a call can fail.
fn faults(call: Call) -> Vec<Fault> {
    let refused = [Fault::Refused(EIO), Fault::Refused(ENOSPC)];
    match call {
        Call::Write => {
            let short = [(0, 1), (0, 511), (0, 512), (1, 0), (4, 0), (4, 512), (4, 700), (7, 0), (8, 0)];
            let short = short.map(|(eighths, bytes)| Fault::Short { eighths, bytes });
            refused.into_iter().chain(short).collect()
        }
        Call::SyncData | Call::SyncAll => vec![Fault::Reverted, Fault::DoneAndDenied],
        Call::Open | Call::Remove | Call::Create => refused.to_vec(),
        Call::SetLen | Call::SetReadonly | Call::Rename | Call::SyncDir => {
            refused.into_iter().chain([Fault::DoneAndDenied]).collect()
        }
    }
}

/// Whose journal is written to.
#[derive(Clone, Copy, Debug)]
enum Begun {
    /// Nobody's yet.
    New,
    /// One that a crash has left with a torn group, an unfinished file and a segment that was not cut off.
    AfterACrash,
}

impl Begun {
    /// Makes it, and returns its leaves.
    fn make(self, dir: &Path) -> Vec<Vec<u8>> {
        let Begun::AfterACrash = self else { return Vec::new() };
        let groups: Vec<_> = (0..4).map(|n| leaves(n, 1, 5000)).collect();
        let (mut ledger, _) = open_on(FaultyDisk::new(None), dir).unwrap();
        for group in groups.iter().chain([&leaves(4, 2, 700)]) {
            ledger.append(group.clone()).unwrap();
        }
        drop(ledger);
        let (first, last) = (&segments(dir)[0], &segments(dir)[1]);
        let mut untrimmed = fs::read(first).unwrap();
        untrimmed.resize(usize::try_from(small().segment_bytes).unwrap(), 0);
        fs::remove_file(first).unwrap();
        fs::write(first, untrimmed).unwrap();
        // The last group, of one block, begins behind the header and a group of two blocks.
        File::options().write(true).open(last).unwrap().write_all_at(&[0; 512], 3 * 4096).unwrap();
        fs::write(journal_dir(dir).join("next.seg.new"), b"half").unwrap();
        groups.concat()
    }
}

/// What is appended, group by group: enough for several segments, one of which must be longer than usual.
fn script() -> Vec<Vec<Vec<u8>>> {
    let mut groups: Vec<_> = (10..16).map(|n| leaves(n, 3, 1500)).collect();
    groups.insert(3, leaves(9, 1, 40_000));
    groups
}

fn open_on(disk: Arc<FaultyDisk>, dir: &Path) -> Result<(Ledger, Vec<Vec<u8>>), OpenError> {
    let mut replayed = Vec::new();
    let ledger = Ledger::open_on(disk, dir, signer(), &small(), |group| {
        replayed.extend(group.leaves);
        Ok::<_, OpenError>(())
    })?;
    Ok((ledger, replayed))
}

/// Returns what the journal's files hold.
fn picture(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    segments(dir).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Appends the script on `disk` until something fails; returns what was acknowledged, and checks that the
/// ledger takes nothing more.
fn run(disk: Arc<FaultyDisk>, dir: &Path, acknowledged: &mut Vec<Vec<u8>>) {
    let Ok((mut ledger, replayed)) = open_on(disk, dir) else { return };
    assert_eq!(&replayed, acknowledged);
    for group in script() {
        match ledger.append(group.clone()) {
            Ok(_) => acknowledged.extend(group),
            Err(AppendError::Io(_)) => {
                let before = picture(dir);
                assert!(matches!(ledger.append(group), Err(AppendError::Poisoned)));
                assert!(picture(dir) == before, "a ledger that has failed writes");
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

/// Checks what the next opening finds, on a disk that works.
///
/// Returns whether it goes on; otherwise it has said what is wrong.
fn goes_on(dir: &Path, acknowledged: &[Vec<u8>], fault: Fault) -> bool {
    match open_on(FaultyDisk::new(None), dir) {
        Ok((mut ledger, replayed)) => {
            assert!(replayed.starts_with(acknowledged), "{} of {}", replayed.len(), acknowledged.len());
            let more = &replayed[acknowledged.len()..];
            assert!(more.is_empty() || script().iter().any(|group| group == more), "half a group");
            ledger.append(leaves(99, 1, 10)).unwrap();
            drop(ledger);
            let (groups, scanned) = audit(dir).unwrap();
            assert_eq!(scanned.tail, Tail::Clean);
            let found: Vec<_> = groups.into_iter().flat_map(|group| group.leaves).collect();
            assert_eq!(found, [replayed, leaves(99, 1, 10)].concat());
            true
        }
        Err(OpenError::Journal(ReadError::Corrupt { .. })) => {
            // Only what no disk of whole sectors does is taken for damage.
            assert!(matches!(fault, Fault::Short { bytes, .. } if bytes % 512 != 0), "{fault:?}");
            false
        }
        Err(other) => panic!("{other}"),
    }
}

#[track_caller]
fn check(begun: Begun) {
    let counted = {
        let dir = tempfile::tempdir().unwrap();
        let (disk, mut acknowledged) = (FaultyDisk::new(None), begun.make(dir.path()));
        run(disk.clone(), dir.path(), &mut acknowledged);
        assert!(acknowledged.ends_with(&script().concat()));
        std::mem::take(&mut disk.state.lock().unwrap().calls)
    };
    let (mut cases, mut unreached, mut recovered, mut said) = (0, 0, 0, 0);
    for (call, count) in counted {
        for (nth, fault) in
            (1..=count).flat_map(|nth| faults(call).into_iter().map(move |fault| (nth, fault)))
        {
            let dir = tempfile::tempdir().unwrap();
            let mut acknowledged = begun.make(dir.path());
            let disk = FaultyDisk::new(Some((call, nth, fault)));
            run(disk.clone(), dir.path(), &mut acknowledged);
            // What the thread of the next segment does may come earlier or later.
            unreached += i32::from(disk.state.lock().unwrap().calls[&call] < nth);
            cases += 1;
            if goes_on(dir.path(), &acknowledged, fault) {
                recovered += 1;
            } else {
                said += 1;
            }
        }
    }
    println!("{begun:?}: {cases} faults, {unreached} of them not reached");
    println!("  {recovered} times everything acknowledged is there, {said} times opening says what is wrong");
    assert!(unreached * 20 < cases && recovered > cases / 2 && said > 0);
}

#[test]
fn a_new_journal_survives_the_failure_of_any_call() {
    check(Begun::New);
}

#[test]
fn a_journal_that_a_crash_has_left_survives_the_failure_of_any_call() {
    check(Begun::AfterACrash);
}

#[test]
fn a_group_whose_sync_has_failed_counts_only_once_it_was_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    // The fourth sync is that of the second group, behind those of the segment's zeros and header.
    let disk = FaultyDisk::new(Some((Call::SyncData, 4, Fault::LostWithThePower)));
    run(disk.clone(), dir.path(), &mut acknowledged);
    assert!(!disk.state.lock().unwrap().given_up.is_empty());

    let (mut ledger, replayed) = open_on(disk.clone(), dir.path()).unwrap();
    assert!(replayed.len() > acknowledged.len(), "the system shows what it has given up");
    ledger.append(leaves(99, 1, 10)).unwrap();
    drop(ledger);
    assert_eq!(disk.power_goes(), 0, "it was written again");
    let (groups, _) = audit(dir.path()).unwrap();
    let found: Vec<_> = groups.into_iter().flat_map(|group| group.leaves).collect();
    assert_eq!(found, [replayed, leaves(99, 1, 10)].concat());
}
