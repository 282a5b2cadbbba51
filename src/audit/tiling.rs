//! Tiling: a folder's ledger written as tiles, for other tools to read.
//!
//! Knows the journal; how tiles lie, the ledger says. Keeps: nothing in the folder is changed; the checkpoint is
//! written last, and only if the whole journal holds.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use parkwatt_ledger::{Reader, Signatures, Tiles, journal_dir};
use serde::Serialize;

use super::{Audit, KeySource, Verdict, folder::Folder, verdict::Finding};

/// Tiles that were written, or why not.
#[derive(Debug, Default, Serialize)]
pub struct Tiled {
    /// What it comes to.
    pub verdict: Verdict,
    /// What is wrong.
    pub findings: Vec<String>,
    /// What is right but should be known.
    pub notes: Vec<String>,
    /// The market's folder.
    pub folder: PathBuf,
    /// The verifier key, beginning with the log's origin; empty if none was found.
    pub key: String,
    /// Where the key comes from.
    pub key_source: Option<KeySource>,
    /// The folder with the tiles, if they were written.
    pub tiles: Option<PathBuf>,
    /// How many leaves the tree has.
    pub tree_size: u64,
    /// The root over them, in base64 as in a checkpoint; empty if nothing was written.
    pub tree_root: String,
}

/// Writes the ledger in `dir` as tiles to `out`, a new folder or an empty one.
///
/// # Errors
/// If they cannot be written; what is left of them has no checkpoint.
pub fn tiles(dir: &Path, vkey: Option<&str>, out: &Path) -> io::Result<Tiled> {
    fs::create_dir_all(out)?;
    if fs::read_dir(out)?.next().is_some() {
        let problem = format!("{}: the folder is not empty", out.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
    }
    let mut audit = Audit { folder: dir.to_owned(), ..Audit::default() };
    let mut tiled = Tiled::default();
    match write(dir, vkey, out, &mut audit, &mut tiled) {
        Ok(()) => {}
        Err(Stop::Output(problem)) => return Err(problem),
        Err(Stop::Ledger(finding)) => audit.find(finding),
    }
    let Audit { verdict, findings, notes, folder, key, key_source, .. } = audit;
    Ok(Tiled { verdict, findings, notes, folder, key, key_source, ..tiled })
}

/// Why no tiles are written.
enum Stop {
    Ledger(Finding),
    Output(io::Error),
}

impl<F: Into<Finding>> From<F> for Stop {
    fn from(finding: F) -> Stop {
        Stop::Ledger(finding.into())
    }
}

fn write(
    dir: &Path,
    vkey: Option<&str>,
    out: &Path,
    audit: &mut Audit,
    tiled: &mut Tiled,
) -> Result<(), Stop> {
    let folder = Folder::open(dir)?;
    audit.folder.clone_from(&folder.path);
    let log = folder.verifier(vkey, audit)?;
    let mut reader = Reader::open(&journal_dir(&folder.path), &log, Signatures::Every)?;
    let mut writer = Tiles::new(out);
    for group in &mut reader {
        writer.take(&group?).map_err(Stop::Output)?;
    }
    let newest = reader.finish()?.checkpoint;
    let newest =
        newest.ok_or_else(|| Finding::unreadable("the ledger is empty: there is nothing to write"))?;
    if audit.verdict != Verdict::Intact {
        return Ok(());
    }
    if let Some(long) = writer.finish(&newest).map_err(Stop::Output)? {
        audit.notes.push(format!(
            "entry {} has {} bytes, and a bundle of entries can say 65,535: so there are hashes only, and no entries",
            long.index, long.bytes
        ));
    }
    tiled.tiles = Some(out.to_owned());
    (tiled.tree_size, tiled.tree_root) = (newest.size(), newest.root().to_string());
    Ok(())
}
