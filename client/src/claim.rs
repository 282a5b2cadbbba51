//! Retirement statements, checked without a node.

use ed25519_dalek::{Signature, VerifyingKey};
use parkwatt_ledger::{CheckpointVerifier, SignedCheckpoint, TogetherError, verify_together};
use parkwatt_proto::v1::SignedCommand;
use parkwatt_proto::{COMMAND_TYPE, StatementError, StatementFile, pre_authentication_encoding, retirement};
use thiserror::Error;

/// Why a statement's file proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnprovedStatement {
    /// Its proofs do not hold.
    #[error(transparent)]
    Proofs(#[from] TogetherError),
    /// What they prove is no claim, or not this one.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The holder's key did not sign the claim.
    #[error("the claim's command is not signed with the key that it names")]
    Signature,
    /// It names another key than the one that its proofs are checked with.
    #[error("vkey says {said}, and the proofs are checked with {known}")]
    Key {
        /// The key that the file names.
        said: String,
        /// The key of the verifier.
        known: String,
    },
}

/// Checks everything that a statement's file says against the log of `verifier`, and returns the checkpoint
/// as of which it is so.
///
/// # Errors
/// [`UnprovedStatement`], unless every proof holds and the file states exactly what its entries come to.
pub fn verify_statement(
    file: &StatementFile,
    verifier: &CheckpointVerifier,
) -> Result<SignedCheckpoint, UnprovedStatement> {
    let (checkpoint, leaves) = verify_together(&file.proofs, verifier)?;
    let (proved, signed) = retirement(leaves.iter().map(|leaf| (leaf.index(), leaf.leaf())))?;
    if !is_signed(&signed) {
        return Err(UnprovedStatement::Signature);
    }
    file.check(&proved, verifier.origin())?;
    if file.vkey != verifier.vkey() {
        let (said, known) = (file.vkey.clone(), verifier.vkey().to_owned());
        return Err(UnprovedStatement::Key { said, known });
    }
    Ok(checkpoint)
}

fn is_signed(command: &SignedCommand) -> bool {
    let key = VerifyingKey::try_from(command.public_key.as_slice());
    let (Ok(key), Ok(signature)) = (key, Signature::from_slice(&command.signature)) else { return false };
    let signed = pre_authentication_encoding(COMMAND_TYPE, &command.payload);
    key.verify_strict(&signed, &signature).is_ok()
}
