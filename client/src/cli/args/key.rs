//! Keys on the command line: what can be done with them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with keys.
#[derive(Clone, Debug, Subcommand)]
pub enum Key {
    /// Make a key in a new file, readable by you alone
    #[command(after_help = "\
EXAMPLES:
  parkwatt key new
  parkwatt key new --encrypt
      asks for a passphrase, without which the file is of no use to anybody
  parkwatt key new --key operator.pem")]
    New {
        /// Put it under a passphrase
        #[arg(long)]
        encrypt: bool,
        /// Where the new passphrase is
        #[command(flatten)]
        passphrase: NewPassphrase,
    },
    /// Show a key's public half, which others may know
    #[command(after_help = "\
EXAMPLES:
  parkwatt key show
  parkwatt key show --key operator.pem")]
    Show,
    /// Let a new key take the place of yours; from then on the old one is of no use
    ///
    /// The new key is made beside the old one, in a file whose name ends in `.new`. Only when the market has
    /// taken it, it is put in the old one's place, and the old one is kept in a file whose name ends in
    /// `.old`. If anything interrupts this, run the command again: it goes on where it stopped.
    #[command(after_help = "\
EXAMPLES:
  parkwatt key rotate
  parkwatt key rotate --key operator.pem
      the market's operator does the same with his key, and a meter with its own")]
    Rotate,
    /// Put a key under a passphrase, or under another one
    ///
    /// The file stays PKCS#8 PEM, as `openssl pkey -in FILE` reads it. A passphrase that is lost cannot be
    /// restored: then only another key helps, which the operator has to enrol.
    #[command(
        visible_alias = "change-passphrase",
        after_help = "\
EXAMPLES:
  parkwatt key encrypt
  parkwatt key change-passphrase
  parkwatt key encrypt --new-passphrase-file secret.txt
      takes the file's first line, of at least 8 letters; for machines, PARKWATT_PASSPHRASE_FILE or
      --passphrase-file names the one that opens the key from then on"
    )]
    Encrypt {
        /// Where the new passphrase is
        #[command(flatten)]
        passphrase: NewPassphrase,
    },
    /// Take the passphrase off a key, so that its file alone speaks for you
    #[command(after_help = "\
EXAMPLES:
  parkwatt key decrypt
  parkwatt key decrypt --key operator.pem --passphrase-file secret.txt")]
    Decrypt,
}

/// Where a new passphrase comes from.
#[derive(Args, Clone, Debug)]
pub struct NewPassphrase {
    /// The file whose first line is the new passphrase [default: it is asked for on the terminal]
    #[arg(long = "new-passphrase-file", value_name = "FILE", env = "PARKWATT_NEW_PASSPHRASE_FILE")]
    pub file: Option<PathBuf>,
}
