//! Profiles on the command line: what can be done with them.

use clap::Subcommand;

use super::super::values;

/// What can be done with profiles.
#[derive(Clone, Debug, Subcommand)]
pub enum ProfileAction {
    /// Keep the options of this command line under a name
    ///
    /// An option that is said, or its variable, goes before the profile. The first profile is in use at once.
    #[command(after_help = "\
EXAMPLES:
  parkwatt profile add park --node https://park.example:7400
  parkwatt profile add harbour --node https://harbour.example:7400 --market harbour --key harbour.pem
  parkwatt profile add park --node http://10.0.0.7:7400 --time-zone Asia/Shanghai --lang zh --replace")]
    Add {
        /// Its name: 1 to 32 of a-z, 0-9 and -
        #[arg(value_name = "NAME", value_parser = values::name)]
        name: String,
        /// Put it in the place of the one that has this name
        #[arg(long)]
        replace: bool,
    },
    /// Show the profiles, and which one is in use
    #[command(after_help = "\
EXAMPLES:
  parkwatt profile list")]
    List,
    /// Use a profile from now on
    #[command(after_help = "\
EXAMPLES:
  parkwatt profile use harbour
      for one command alone: parkwatt orders --profile harbour")]
    Use {
        /// Its name
        #[arg(value_name = "NAME", value_parser = values::name)]
        name: String,
    },
    /// Forget a profile; its key's file stays
    #[command(after_help = "\
EXAMPLES:
  parkwatt profile remove harbour")]
    Remove {
        /// Its name
        #[arg(value_name = "NAME", value_parser = values::name)]
        name: String,
    },
}
