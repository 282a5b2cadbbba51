//! Help: examples and exit codes, as `--help` says them.

/// What everything, and an audit, says.
pub const HELP: &str = "\
Examples:
  parkwatt-audit verify parkwatt-demo            the one market in this folder
  parkwatt-audit replay parkwatt-data/park       this market, and whether the engine agrees
  parkwatt-audit replay park --vkey park.vkey    with the key you were given, not the folder's
  parkwatt-audit verify park --keep park.checkpoint
      keeps today's checkpoint
  parkwatt-audit verify park --checkpoint park.checkpoint
      sees another day that it was not rewritten
  parkwatt-audit replay http://10.0.0.5:7400 --key regulator.pem --vkey park.vkey
  parkwatt-audit follow https://park.example:7400 --key regulator.pem --vkey park.vkey --dir mirror
  parkwatt-audit replay park --output json | jq .verdict
  parkwatt-audit report park --out report-2026-05 --from 2026-05-01 --until 2026-05-31

Exit codes:
  0   intact       everything that was checked holds
  1   tampered     something is not as it was signed; the file and byte, or the leaf, is named
  2   diverged     signed by the node, but no result of the commands; the first leaf is named
  3   unreadable   missing, not permitted, not a ledger, being written to, or no node answers
  4   differing    the ledger is intact, but sums in the report differ that must agree
  5   forked       the node has signed what contradicts, or takes back, what it had signed before
  6   unwitnessed  too few witnesses have seen it
  64  the command line cannot be understood
  74  the result, the report or a file cannot be written
docs/audit.md says what to do at each.";

/// What `follow` says.
pub const FOLLOW_HELP: &str = "\
Examples:
  parkwatt-audit follow https://park.example:7400 --key regulator.pem --vkey park.vkey --dir mirror
  parkwatt-audit follow http://10.0.0.5:7400 --key regulator.pem --dir mirror --once
      from cron
  parkwatt-audit replay mirror
      at any time it is not running

It runs until it is stopped (Ctrl-C, SIGTERM; the mirror is whole at every moment), and ends by
itself if the node has rewritten something. While the node does not answer it tries again.

Exit codes:
  0   intact       with --once: mirrored, and the node has only added to what it had signed
  1   tampered     the node hands out what it has not signed
  3   unreadable   no node answers, it does not know the key, or the folder cannot be used
  5   forked       the node has signed what contradicts, or takes back, what it had signed before;
                   the evidence is in the mirror: evidence-N.txt
  6   unwitnessed  with --once: mirrored, but too few witnesses have seen it
  64  the command line cannot be understood
  74  the result cannot be written";

/// What `witness` says.
pub const WITNESS_HELP: &str = "\
Examples:
  parkwatt-audit witness http://10.0.0.5:7400 --key reader.pem --vkey park.vkey \\
      --name witness.example/park --witness-key witness.pem --state witness-of-park

The first run makes the key if there is none, and says its verifier key (witness.example/park+...):
the node's operator adds it to the node's `witnesses`, and auditors ask for it with --witness. The
witness key signs nothing else; the folder of --state must never be copied back from an older day.

Exit codes:
  0   intact       with --once: what is new is signed and handed in
  1   tampered     the node gives out a checkpoint that is not the log's
  3   unreadable   no node answers, it refuses the signature, or the folder cannot be used
  5   forked       the log has not only grown; nothing is signed, evidence is in --state's folder
  64  the command line cannot be understood
  74  the key or the result cannot be written";

/// What `prove` says.
pub const PROVE_HELP: &str = "\
Examples:
  parkwatt-audit prove park --trade 1234 --out trade-1234.json
  parkwatt-audit prove park --certificate 1978096.2.1 --out certificate.json
  parkwatt-audit prove park --leaf 1234 --out leaf-1234.tlog-proof
  parkwatt-audit check trade-1234.json --vkey park.vkey

A proof holds hashes of other entries, and no other entry. With --witness it is against the newest
checkpoint that they have cosigned, so that `check --witness` holds too.

Exit codes:
  0   intact       the file is written
  1   tampered     the ledger is not as it was signed; nothing is written
  3   unreadable   missing, not permitted, not a ledger, or there is no such entry
  5   forked       the ledger contradicts a checkpoint that is known; nothing is written
  6   unwitnessed  too few witnesses have seen it; nothing is written
  64  the command line cannot be understood
  74  the file or the result cannot be written";

/// What `tiles` says.
pub const TILES_HELP: &str = "\
Example:
  parkwatt-audit tiles park --out park-tiles    then serve the folder with any web server

Exit codes:
  0   intact       the tiles are written
  1   tampered     the ledger is not as it was signed; there is no checkpoint among the tiles
  3   unreadable   missing, not permitted, not a ledger, or somebody is writing to it
  64  the command line cannot be understood
  74  the tiles or the result cannot be written";

/// What `check` says.
pub const CHECK_HELP: &str = "\
Examples:
  parkwatt-audit check retirement-1234.json --vkey park.vkey
  parkwatt-audit check leaf-1234.tlog-proof --vkey park.vkey
  parkwatt-audit check trade-1234.json --vkey park.vkey --witness witness.example/park+...

Exit codes:
  0   intact       every proof holds, and what is stated follows from them
  1   tampered     a proof does not hold, or more, less or something else is stated; what, is named
  3   unreadable   missing, not permitted, none of these, or without a key
  6   unwitnessed  every proof holds, but too few witnesses have seen the checkpoint
  64  the command line cannot be understood
  74  the result cannot be written";
