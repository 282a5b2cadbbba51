//! A market's folder: what lies in it, and what belongs there.
//!
//! Knows names, kinds of files and the key beside the journal (`docs/ledger-format.md`); does not read what a
//! segment or the store says. Keeps: nothing is changed; while it is held, no node writes to it.

use std::{
    fs::{self, DirEntry, File, TryLockError},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use parkwatt_ledger::{
    COSIGNED_FILE, COSIGNED_UNFINISHED, CheckpointVerifier, SNAPSHOT_UNFINISHED, Store, journal_dir,
};

use super::{
    evidence::EVIDENCE,
    verdict::{Audit, Finding, KeySource},
};
use crate::{host::VKEY_FILE, recovery::UNCHECKED_FILE};

/// How much of a file is read at once.
const CHUNK: usize = 1 << 20;
/// The zeros that will be the next segment.
const SPARE_FILE: &str = "next.seg.new";
/// The file that a node locks.
pub(super) const LOCK_FILE: &str = "LOCK";
/// What the name of a store begins with that a node has moved aside.
const ASIDE: &str = "sled.damaged-";

/// The market's folder, locked against nodes.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    _lock: Option<File>,
}

/// What lies in it.
#[derive(Default)]
pub(super) struct Contents {
    /// The bytes of the journal up to the last that is not zero.
    pub(super) journal_bytes: u64,
    /// Whether there is a store.
    pub(super) has_store: bool,
    /// Whether the journal's and the store's files are plain ones, so that they can be read.
    pub(super) is_plain: bool,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Other,
}

impl Folder {
    /// Finds the market's folder: `dir` itself, or the only one in it.
    pub(super) fn open(dir: &Path) -> Result<Folder, Finding> {
        let path = find(dir)?;
        let lock = lock(&path)?;
        Ok(Folder { path, _lock: lock })
    }

    /// Looks at what lies in it, and finds what does not belong.
    pub(super) fn look(&self, audit: &mut Audit) -> Result<Contents, Finding> {
        let mut contents = Contents { is_plain: true, ..Contents::default() };
        for (path, name, kind) in entries(&self.path)? {
            match (name.as_str(), kind) {
                ("journal", Kind::Folder) => look_at_journal(&path, audit, &mut contents)?,
                ("sled", Kind::Folder) => {
                    contents.has_store = true;
                    look_at_store(&path, audit, &mut contents)?;
                }
                ("snapshots", Kind::Folder) => look_at_snapshots(&path, audit, &mut contents)?,
                (
                    VKEY_FILE | LOCK_FILE | COSIGNED_FILE | COSIGNED_UNFINISHED | UNCHECKED_FILE,
                    Kind::File,
                ) => {}
                (evidence, Kind::File) if evidence.starts_with(EVIDENCE) => {
                    let path = path.display();
                    audit.notes.push(format!(
                        "{path}: evidence against the node, written by who follows it; read it"
                    ));
                }
                (aside, Kind::Folder) if aside.starts_with(ASIDE) => {
                    let path = path.display();
                    audit
                        .notes
                        .push(format!("{path}: a store that a node has moved aside; it was not looked at"));
                }
                _ => does_not_belong(&path, audit, &mut contents, kind),
            }
        }
        Ok(contents)
    }

    /// Returns who checks checkpoints: by the key `given`, or by the one beside the journal.
    pub(super) fn verifier(
        &self,
        given: Option<&str>,
        audit: &mut Audit,
    ) -> Result<CheckpointVerifier, Finding> {
        let path = self.path.join(VKEY_FILE);
        let beside = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => None,
            Err(problem) => return Err(Finding::at(&path)(problem)),
        };
        let (text, source) = match (given, &beside) {
            (Some(given), _) => (given.trim().to_owned(), KeySource::Given),
            (None, Some(bytes)) => {
                (String::from_utf8_lossy(bytes).trim().to_owned(), KeySource::BesideTheJournal)
            }
            (None, None) => {
                let what =
                    format!("{}: there is no key here; give the one you know (--vkey)", path.display());
                return Err(Finding::unreadable(what));
            }
        };
        let verifier = CheckpointVerifier::from_vkey(&text).map_err(|problem| match source {
            KeySource::Given => Finding::unreadable(format!("the key that was given: {problem}")),
            KeySource::BesideTheJournal | KeySource::FromTheNode | KeySource::InTheFile => {
                Finding::tampered(format!("{}: {problem}", path.display()))
            }
        })?;
        if beside.is_some_and(|bytes| bytes != format!("{}\n", verifier.vkey()).into_bytes()) {
            let expected = verifier.vkey();
            audit.find(Finding::tampered(format!("{}: is not the line {expected}", path.display())));
        }
        verifier.vkey().clone_into(&mut audit.key);
        audit.key_source = Some(source);
        Ok(verifier)
    }
}

fn find(dir: &Path) -> Result<PathBuf, Finding> {
    if journal_dir(dir).is_dir() {
        return Ok(dir.to_owned());
    }
    let mut markets: Vec<PathBuf> = entries(dir)?
        .into_iter()
        .filter(|(path, _, kind)| *kind == Kind::Folder && journal_dir(path).is_dir())
        .map(|(path, ..)| path)
        .collect();
    match markets.len() {
        1 => Ok(markets.remove(0)),
        0 => Err(Finding::unreadable(format!(
            "{}: there is no ledger here: no folder 'journal', neither in it nor in a folder in it",
            dir.display()
        ))),
        count => {
            let names: Vec<String> = markets.iter().map(|path| path.display().to_string()).collect();
            let what =
                format!("{}: there are {count} markets here; name one: {}", dir.display(), names.join(", "));
            Err(Finding::unreadable(what))
        }
    }
}

/// Keeps nodes from writing. A folder without a lock, as an archive is, needs none.
fn lock(folder: &Path) -> Result<Option<File>, Finding> {
    let path = folder.join(LOCK_FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let file = File::open(&path).map_err(Finding::at(&path))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Finding::unreadable(format!(
            "{}: a node or a follower is writing to this ledger; stop it first, or audit a copy made while it stood \
             still, or follow the node into another folder",
            folder.display()
        ))),
        Err(TryLockError::Error(problem)) => Err(Finding::at(&path)(problem)),
    }
}

fn look_at_journal(journal: &Path, audit: &mut Audit, contents: &mut Contents) -> Result<(), Finding> {
    let mut segments = Vec::new();
    for (path, name, kind) in entries(journal)? {
        match kind {
            Kind::File if is_segment(&name) => segments.push(path),
            Kind::File if name == SPARE_FILE => look_at_spare(&path, audit)?,
            _ => does_not_belong(&path, audit, contents, kind),
        }
    }
    for (n, path) in segments.iter().enumerate() {
        let is_last = n + 1 == segments.len();
        contents.journal_bytes += if is_last { used_len(path)? } else { len(path)? };
    }
    Ok(())
}

/// The spare is zeros until it becomes a segment.
fn look_at_spare(path: &Path, audit: &mut Audit) -> Result<(), Finding> {
    let used = used_len(path)?;
    if used > 0 {
        audit.find(Finding::tampered(format!(
            "{}: byte {}: what will be the next segment is not all zero. A node that was killed at this moment leaves \
             this; nothing in it was acknowledged, and starting the node removes it",
            path.display(),
            used - 1
        )));
    }
    Ok(())
}

fn look_at_store(folder: &Path, audit: &mut Audit, contents: &mut Contents) -> Result<(), Finding> {
    for (path, _, kind) in entries(folder)? {
        match kind {
            Kind::File => {}
            Kind::Folder => look_at_store(&path, audit, contents)?,
            Kind::Other => does_not_belong(&path, audit, contents, kind),
        }
    }
    Ok(())
}

/// What a snapshot says is compared with the journal later.
fn look_at_snapshots(folder: &Path, audit: &mut Audit, contents: &mut Contents) -> Result<(), Finding> {
    for (path, name, kind) in entries(folder)? {
        let is_snapshot = path.extension().is_some_and(|it| it == "snap") || name == SNAPSHOT_UNFINISHED;
        if kind != Kind::File || !is_snapshot {
            does_not_belong(&path, audit, contents, kind);
        }
    }
    Ok(())
}

/// A link or a device is not even opened: what it leads to is not in the folder.
fn does_not_belong(path: &Path, audit: &mut Audit, contents: &mut Contents, kind: Kind) {
    contents.is_plain &= kind != Kind::Other;
    audit.find(Finding::tampered(format!("{}: does not belong to a ledger", path.display())));
}

/// Copies the store, which opening it changes, to the folder `to`.
pub(super) fn copy_store(folder: &Path, to: &Path) -> Result<(), Finding> {
    copy_folder(&Store::path(folder), &Store::path(to))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Finding> {
    fs::create_dir(to).map_err(Finding::at(to))?;
    for (path, name, kind) in entries(from)? {
        let copy = to.join(name);
        match kind {
            Kind::Folder => copy_folder(&path, &copy)?,
            Kind::File | Kind::Other => {
                let mut copied = File::create(&copy).map_err(Finding::at(&copy))?;
                let mut file = File::open(&path).map_err(Finding::at(&path))?;
                std::io::copy(&mut file, &mut copied).map_err(Finding::at(&copy))?;
            }
        }
    }
    Ok(())
}

/// Returns a directory's entries with their names and kinds, in order of their names.
fn entries(dir: &Path) -> Result<Vec<(PathBuf, String, Kind)>, Finding> {
    let named = |entry: std::io::Result<DirEntry>| {
        let entry = entry.map_err(Finding::at(dir))?;
        let path = entry.path();
        let kind = match entry.file_type().map_err(Finding::at(&path))? {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Folder,
            _ => Kind::Other,
        };
        Ok((path, entry.file_name().to_string_lossy().into_owned(), kind))
    };
    let mut entries: Vec<_> =
        fs::read_dir(dir).map_err(Finding::at(dir))?.map(named).collect::<Result<_, Finding>>()?;
    entries.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    Ok(entries)
}

fn is_segment(name: &str) -> bool {
    let digits = name.strip_suffix(".seg").unwrap_or_default();
    digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn len(path: &Path) -> Result<u64, Finding> {
    Ok(fs::metadata(path).map_err(Finding::at(path))?.len())
}

/// Returns the length of a file without the zeros at its end.
fn used_len(path: &Path) -> Result<u64, Finding> {
    let file = File::open(path).map_err(Finding::at(path))?;
    let mut end = len(path)?;
    let mut chunk = vec![0; CHUNK];
    while end > 0 {
        let size = usize::try_from(end).map_or(CHUNK, |rest| rest.min(CHUNK));
        let begin = end - size as u64;
        file.read_exact_at(&mut chunk[..size], begin).map_err(Finding::at(path))?;
        if let Some(last) = chunk[..size].iter().rposition(|&byte| byte != 0) {
            return Ok(begin + last as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(make: impl FnOnce(&Path)) -> (Audit, Contents) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(journal_dir(dir.path())).unwrap();
        make(dir.path());
        let mut audit = Audit::default();
        let folder = Folder::open(dir.path()).map_err(|finding| finding.what).unwrap();
        let contents = folder.look(&mut audit).map_err(|finding| finding.what).unwrap();
        (audit, contents)
    }

    #[test]
    fn a_file_that_does_not_belong_is_named() {
        for name in [
            "journal/0.seg",
            "journal/00000000000000000000.seg.bak",
            "notes",
            "sled.damaged-1",
            "journal/sled",
        ] {
            let (audit, contents) = findings(|dir| fs::write(dir.join(name), b"").unwrap());
            let said = audit.findings.concat();
            assert!(said.ends_with(&format!("/{name}: does not belong to a ledger")), "{said}");
            assert!(contents.is_plain);
        }
    }

    #[test]
    fn a_link_is_named_and_not_followed() {
        for name in ["sled/db", "journal/00000000000000000000.seg", "sled", "vkey"] {
            let (audit, contents) = findings(|dir| {
                fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
                std::os::unix::fs::symlink("/dev/zero", dir.join(name)).unwrap();
            });
            assert!(audit.findings.concat().contains(name), "{name}");
            assert!(!contents.is_plain, "{name}");
        }
    }

    #[test]
    fn a_spare_of_zeros_belongs_and_any_other_byte_in_it_is_named() {
        let spare = |bytes: &[u8]| {
            let bytes = bytes.to_vec();
            findings(|dir| fs::write(dir.join("journal/next.seg.new"), bytes).unwrap()).0.findings.concat()
        };
        assert_eq!(spare(&[0; 3000]), "");
        let said = spare(&[&[0; 2000][..], &[4], &[0; 999]].concat());
        assert!(said.contains("next.seg.new: byte 2000: "), "{said}");
    }

    #[test]
    fn the_one_market_in_a_folder_is_found_and_two_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let found = || Folder::open(dir.path()).map(|folder| folder.path).map_err(|finding| finding.what);
        assert!(found().unwrap_err().contains("there is no ledger here"));
        fs::create_dir_all(dir.path().join("park/journal")).unwrap();
        fs::create_dir_all(dir.path().join("other")).unwrap();
        assert_eq!(found(), Ok(dir.path().join("park")));
        fs::create_dir_all(dir.path().join("quay/journal")).unwrap();
        assert!(found().unwrap_err().contains("there are 2 markets here; name one: "));
    }

    #[test]
    fn a_folder_that_a_node_has_locked_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(journal_dir(dir.path())).unwrap();
        let lock = File::create(dir.path().join("LOCK")).unwrap();
        lock.try_lock().unwrap();
        let refused = Folder::open(dir.path()).map(|folder| folder.path).unwrap_err();
        assert!(refused.what.contains("is writing to this ledger"), "{}", refused.what);
        drop(lock);
        assert!(Folder::open(dir.path()).is_ok());
    }
}
