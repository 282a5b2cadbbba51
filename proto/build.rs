//! Generates the contract's code, and writes the descriptor set that server reflection serves.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 9] = [
    "parkwatt/v1/command.proto",
    "parkwatt/v1/outcome.proto",
    "parkwatt/v1/certificate.proto",
    "parkwatt/v1/leaf.proto",
    "parkwatt/v1/exchange.proto",
    "parkwatt/v1/market_data.proto",
    "parkwatt/v1/account.proto",
    "parkwatt/v1/ledger.proto",
    "parkwatt/v1/simulation.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("parkwatt.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
