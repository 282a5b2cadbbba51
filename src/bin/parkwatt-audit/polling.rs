//! Polling: a node looked at again and again, until somebody says stop or something must be said.

use std::{path::Path, process::ExitCode, thread, time::Duration};

use ed25519_dalek::SigningKey;
use parkwatt::{
    audit::{FollowOrder, Follower, Pass, Verdict, WitnessDesk, WitnessOrder},
    keys::{KeyError, make_key, read_key},
};
use parkwatt_ledger::{CheckpointVerifier, WitnessSigner};

use crate::{
    args::{FollowOptions, Polling, WitnessOptions},
    printing::{bar, finish, misused, not_written, show},
};

/// Mirrors a node.
pub fn follow(options: &FollowOptions) -> ExitCode {
    let quorum = match options.witnesses.quorum() {
        Ok(quorum) => quorum,
        Err(problem) => return misused(&problem),
    };
    let mut follower = Follower::new(FollowOrder {
        node: options.reading.of(&options.url),
        dir: &options.dir,
        vkey: options.vkey.as_deref(),
        quorum: quorum.as_ref(),
    });
    poll(&options.polling, |said| {
        let bar = bar(&options.printing);
        let pass = follower.pass(|progress| show(&bar, progress));
        bar.finish_and_clear();
        let (verdict, is_news) = (pass.verdict, pass.leaves_new > 0);
        said.say(verdict, pass.finding.as_ref(), is_news, || {
            finish(&pass, &Pass(&pass), &options.printing, verdict)
        })
    })
}

/// Watches a node, and cosigns.
pub fn witness(options: &WitnessOptions) -> ExitCode {
    let key = match witness_key(&options.witness_key) {
        Ok(key) => key,
        Err(problem) => return not_written(&problem),
    };
    let signer = match WitnessSigner::new(&options.name, key) {
        Ok(signer) => signer,
        Err(problem) => return misused(&format_args!("--name: {problem}")),
    };
    let log =
        CheckpointVerifier::from_vkey(&options.vkey).expect("the command line takes verifier keys only");
    let node = options.reading.of(&options.url);
    let mut desk = WitnessDesk::new(WitnessOrder { node, state: &options.state, log, signer });
    poll(&options.polling, |said| {
        let pass = desk.pass();
        let (verdict, is_news) = (pass.verdict, !pass.signed.is_empty());
        said.say(verdict, pass.finding.as_ref(), is_news, || finish(&pass, &pass, &options.printing, verdict))
    })
}

/// What was said of the looks before; nothing before the first.
#[derive(Default)]
struct Said {
    looks: u64,
    finding: Option<String>,
}

impl Said {
    /// Prints what a look has come to, unless it is what was said before; returns the verdict and the exit code.
    fn say(
        &mut self,
        verdict: Verdict,
        finding: Option<&String>,
        is_news: bool,
        print: impl FnOnce() -> ExitCode,
    ) -> (Verdict, ExitCode) {
        let is_due = self.looks == 0 || is_news || self.finding.as_ref() != finding;
        self.looks += 1;
        self.finding = finding.cloned();
        (verdict, if is_due { print() } else { ExitCode::from(verdict.exit_code()) })
    }
}

/// Looks once, or until what was found cannot pass by itself; a first look that sees nothing ends it too, since then
/// the command line is at fault more often than the node.
fn poll(polling: &Polling, mut look: impl FnMut(&mut Said) -> (Verdict, ExitCode)) -> ExitCode {
    let mut said = Said::default();
    loop {
        let (verdict, exit_code) = look(&mut said);
        let is_passing = match verdict {
            Verdict::Intact | Verdict::Unwitnessed => true,
            Verdict::Unreadable => said.looks > 1,
            Verdict::Tampered | Verdict::Diverged | Verdict::Differing | Verdict::Forked => false,
        };
        if polling.once || !is_passing {
            return exit_code;
        }
        thread::sleep(Duration::from_secs(polling.interval_s.max(1)));
    }
}

/// Reads the witness's key, or makes it.
fn witness_key(path: &Path) -> Result<SigningKey, KeyError> {
    if !path.exists() {
        make_key(path)?;
    }
    read_key(path)
}
