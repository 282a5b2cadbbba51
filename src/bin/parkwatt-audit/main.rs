//! `parkwatt-audit`: the regulator's tool. It proves from a ledger's files, or from what a live node hands out, that
//! nothing was changed, and that everything follows from signed commands; it reports what the market did, mirrors and
//! witnesses it, and checks what others prove from the ledger.

mod args;
mod help;
mod polling;
mod printing;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{self, ExitCode, Stdio},
};

use clap::Parser;
use indicatif::ProgressBar;
use parkwatt::audit::{
    self, Audit, Conclusion, Depth, Judgement, Outside, Period, ProofOrder, ReportOrder, Task, Verdict,
};

use args::{Cli, Command, Options, Printing, ProveOptions, ReportOptions};
use printing::{EXIT_USAGE, bar, finish, misused, not_written, show};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(problem) => {
            // Nothing is left to say if even this cannot be printed.
            let _ = problem.print();
            return if problem.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Verify(options) => audit(&options, Depth::Verify, cli.apart),
        Command::Replay(options) => audit(&options, Depth::Replay, cli.apart),
        Command::Report(options) => report(&options, cli.apart),
        Command::Follow(options) => polling::follow(&options),
        Command::Witness(options) => polling::witness(&options),
        Command::Prove(options) => prove_entries(&options),
        Command::Tiles { dir, out, vkey, printing } => match audit::tiles(&dir, vkey.as_deref(), &out) {
            Ok(tiled) => finish(&tiled, &tiled, &printing, tiled.verdict),
            Err(problem) => not_written(&problem),
        },
        Command::Check(options) => match options.witnesses.quorum() {
            Ok(quorum) => {
                let checked = audit::check_file(&options.file, options.vkey.as_deref(), quorum.as_ref());
                finish(&checked, &Judgement(&checked), &options.printing, checked.verdict)
            }
            Err(problem) => misused(&problem),
        },
        Command::CheckStore { dir, held } => audit::check_store(&dir, None, held),
    }
}

fn audit(options: &Options, depth: Depth, is_apart: bool) -> ExitCode {
    run(options, is_apart, |task, bar| {
        let task = Task { depth, ..*task };
        Ok(match options.node() {
            None => audit::audit(&task, |progress| show(bar, progress)),
            Some(node) => audit::audit_node(&node, &task, |progress| show(bar, progress)),
        })
    })
}

fn prove_entries(options: &ProveOptions) -> ExitCode {
    let quorum = match options.witnesses.quorum() {
        Ok(quorum) => quorum,
        Err(problem) => return misused(&problem),
    };
    let proved = audit::prove(&ProofOrder {
        dir: &options.dir,
        vkey: options.vkey.as_deref(),
        outside: Outside { quorum: quorum.as_ref(), ..Outside::default() },
        subject: options.subject.subject(),
        out: &options.out,
    });
    match proved {
        Ok(proved) => finish(&proved, &proved, &options.printing, proved.verdict),
        Err(problem) => not_written(&problem),
    }
}

fn report(options: &ReportOptions, is_apart: bool) -> ExitCode {
    let ReportOptions { options, out, from, until } = options;
    let period = Period { from: *from, until: *until };
    if let (Some(from), Some(until)) = (from, until)
        && from > until
    {
        return misused(&"--from lies behind --until");
    }
    if let Some(node) = options.node() {
        let url = node.url;
        return misused(&format_args!(
            "a report is of a folder: first `parkwatt-audit follow {url} --dir FOLDER --once`"
        ));
    }
    let order = ReportOrder { out, period };
    run(options, is_apart, |task, bar| audit::report(task, &order, |progress| show(bar, progress)))
}

/// Audits with a bar that shows how far it is, prints what came of it, and returns the exit code.
///
/// A process of its own does it, so that whatever the ledger holds, there is a verdict and nothing left behind.
fn run(
    options: &Options,
    is_apart: bool,
    audit: impl FnOnce(&Task<'_>, &ProgressBar) -> io::Result<Audit>,
) -> ExitCode {
    let quorum = match options.witnesses.quorum() {
        Ok(quorum) => quorum,
        Err(problem) => return misused(&problem),
    };
    let replaced = match options.keep.as_deref().map(replaced).transpose() {
        Ok(replaced) => replaced.flatten(),
        Err(problem) => return not_written(&problem),
    };
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("parkwatt-audit"));
    if !is_apart {
        return run_apart(&program, options);
    }
    let printing = &options.printing;
    let Printing { output, quiet } = *printing;
    audit::end_with_a_verdict(options.ledger.clone(), move |audit| {
        finish(audit, &Conclusion(audit), &Printing { output, quiet }, audit.verdict);
    });
    let checkpoint = options.checkpoint.as_deref();
    let outside = Outside { checkpoint, replaced: replaced.as_deref(), quorum: quorum.as_ref() };
    let temporary = std::env::temp_dir();
    let dir = if options.node().is_some() { &temporary } else { &options.ledger };
    let task = Task { dir, vkey: options.vkey.as_deref(), depth: Depth::Replay, outside, program: &program };
    let bar = bar(printing);
    let audited = audit(&task, &bar);
    bar.finish_and_clear();
    let mut audit = match audited {
        Ok(audit) => audit,
        Err(problem) => return not_written(&format_args!("the report cannot be written: {problem}")),
    };
    if let (Verdict::Intact, Some(file), Some(note)) = (audit.verdict, &options.keep, &audit.checkpoint) {
        if let Err(problem) = fs::write(file, note) {
            return not_written(&format_args!("{}: {problem}", file.display()));
        }
        let instead =
            if replaced.is_some() { ", in place of one from which the ledger has grown" } else { "" };
        audit.notes.push(format!("the newest checkpoint is kept in {}{instead}", file.display()));
    }
    finish(&audit, &Conclusion(&audit), printing, audit.verdict)
}

/// Returns the checkpoint in a file that is to be replaced; none if the file is not there yet.
fn replaced(file: &Path) -> Result<Option<String>, String> {
    if !file.exists() {
        return Ok(None);
    }
    audit::checkpoint_note(file).map(Some).map_err(|problem| {
        format!("--keep: {problem}; a file that is something else is not overwritten: name another one")
    })
}

/// Runs this program again with the same arguments, and gives its exit code, or a verdict where it crashed.
fn run_apart(program: &Path, options: &Options) -> ExitCode {
    let mut command = process::Command::new(program);
    command.arg("--apart").args(std::env::args_os().skip(1)).stdin(Stdio::null());
    // What is made on the way lies in here, and is gone however the other process ends.
    let temporary = tempfile::Builder::new().prefix("parkwatt-audit-").tempdir();
    let status = temporary.and_then(|temporary| command.env("TMPDIR", temporary.path()).status());
    let how: &dyn std::fmt::Display = match &status {
        Ok(status) => match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(code) => return ExitCode::from(code),
            None => status,
        },
        Err(problem) => problem,
    };
    let audit = audit::broken_off(options.ledger.clone(), how);
    finish(&audit, &Conclusion(&audit), &options.printing, audit.verdict)
}
