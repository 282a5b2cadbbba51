//! Files: a report as it is written, in a folder that is there as a whole or not at all.
//!
//! Knows CSV (RFC 4180), digests and folders; does not know what the rows say.
//! Keeps: an existing file is never written to; until everything is written, nothing lies under the report's
//! own name; no file is held in memory.

use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use parkwatt_ledger::journal_dir;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{
    figures::COLUMNS,
    rows::{CertificateRow, CheckRow, FlowRow, NationalRow, PostingRow, StepRow, TradeRow},
};

/// How many bytes are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 16;
/// The columns in front of a slot's figures.
const SLOT_COLUMNS: [&str; 4] = ["slot", "slot_begins_at", "phase", "tariff_version"];

/// All files of a report but the one that names them.
pub(super) struct Files {
    folder: TempDir,
    out: PathBuf,
    pub(super) trades: Table,
    pub(super) postings: Table,
    pub(super) slots: Table,
    pub(super) flows: Table,
    pub(super) certificates: Table,
    pub(super) steps: Table,
    pub(super) nationals: Table,
    pub(super) reconciliation: Table,
}

/// One file, as it is written.
pub(super) struct Table {
    name: &'static str,
    rows: u64,
    writer: csv::Writer<Hashed>,
}

/// A file of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileRecord {
    /// Its name.
    pub name: &'static str,
    /// Its rows, without the one with the columns' names.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// A file whose digest grows with it.
struct Hashed {
    file: File,
    digest: Sha256,
    bytes: u64,
}

impl Files {
    /// Begins to write the report that will be `out` about the ledger in `ledger`.
    ///
    /// # Errors
    /// If there is something in `out`, if it lies in the ledger, or what the file system said.
    pub(super) fn begin(out: &Path, ledger: &Path) -> io::Result<Files> {
        let parent = check_place(out, ledger)?;
        // Readable for whoever may read what is made here; what makes it is careful by itself.
        let folder = tempfile::Builder::new()
            .prefix(".parkwatt-report-")
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(&parent)
            .map_err(at(&parent))?;
        let create = |name, columns: &[&str]| Table::create(folder.path(), name, columns);
        Ok(Files {
            trades: create("trades.csv", TradeRow::COLUMNS)?,
            postings: create("postings.csv", PostingRow::COLUMNS)?,
            slots: create("slots.csv", &[&SLOT_COLUMNS[..], COLUMNS].concat())?,
            flows: create("flows.csv", FlowRow::COLUMNS)?,
            certificates: create("certificates.csv", CertificateRow::COLUMNS)?,
            steps: create("certificate_steps.csv", StepRow::COLUMNS)?,
            nationals: create("nationals.csv", NationalRow::COLUMNS)?,
            reconciliation: create("reconciliation.csv", CheckRow::COLUMNS)?,
            out: out.to_owned(),
            folder,
        })
    }

    /// Ends all tables, writes `report.json`, which is made of what the others are, and gives the folder its
    /// name.
    pub(super) fn publish<T: Serialize>(
        self,
        document: impl FnOnce(Vec<FileRecord>) -> T,
    ) -> io::Result<(PathBuf, T)> {
        let Files { folder, out, trades, postings, slots, flows, certificates, steps, nationals, .. } = self;
        let tables = [trades, postings, slots, flows, certificates, steps, nationals, self.reconciliation];
        let records = tables.into_iter().map(Table::finish).collect::<io::Result<_>>()?;
        let document = document(records);
        let mut file = File::create_new(folder.path().join("report.json"))?;
        let mut text = serde_json::to_vec_pretty(&document)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()?;
        // An empty folder that is there already gives way to this one.
        fs::rename(folder.path(), &out).map_err(at(&out))?;
        // OK because it is not there any more under the name that would be removed.
        let _ = folder.keep();
        Ok((out, document))
    }
}

impl Table {
    fn create(folder: &Path, name: &'static str, columns: &[&str]) -> io::Result<Table> {
        let path = folder.join(name);
        let file = File::create_new(&path).map_err(at(&path))?;
        let mut writer = csv::WriterBuilder::new()
            .has_headers(false)
            .terminator(csv::Terminator::CRLF)
            .buffer_capacity(BUFFER_BYTES)
            .from_writer(Hashed { file, digest: Sha256::new(), bytes: 0 });
        writer.write_record(columns)?;
        Ok(Table { name, rows: 0, writer })
    }

    /// Writes a row.
    pub(super) fn write(&mut self, row: impl Serialize) -> io::Result<()> {
        self.rows += 1;
        Ok(self.writer.serialize(row)?)
    }

    fn finish(self) -> io::Result<FileRecord> {
        let Hashed { file, digest, bytes } =
            self.writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(FileRecord { name: self.name, rows: self.rows, bytes, sha256: hex::encode(digest.finalize()) })
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Checks that a report can be `out`, and returns the folder that it will be in.
fn check_place(out: &Path, ledger: &Path) -> io::Result<PathBuf> {
    let has_entries = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => false,
        Err(problem) => return Err(at(out)(problem)),
    };
    if has_entries {
        let problem = "is not empty; a report is written into a new folder";
        return Err(at(out)(io::Error::new(io::ErrorKind::DirectoryNotEmpty, problem)));
    }
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = fs::canonicalize(parent).map_err(at(parent))?;
    if let Ok(ledger) = fs::canonicalize(ledger) {
        let mut within = parent.ancestors().take_while(|folder| folder.starts_with(&ledger));
        if within.any(|folder| journal_dir(folder).is_dir()) {
            let problem = "would lie in the ledger, where nothing is changed";
            return Err(at(out)(io::Error::new(io::ErrorKind::InvalidInput, problem)));
        }
    }
    Ok(parent)
}

/// Returns what names the place of an error.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    move |problem| io::Error::new(problem.kind(), format!("{}: {problem}", path.display()))
}
