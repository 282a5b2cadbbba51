//! Generates the contract's code, and writes the descriptor set that server reflection serves.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const FILES: [&str; 10] = [
    "parkwatt/v1/command.proto",
    "parkwatt/v1/outcome.proto",
    "parkwatt/v1/certificate.proto",
    "parkwatt/v1/leaf.proto",
    "parkwatt/v1/execution.proto",
    "parkwatt/v1/exchange.proto",
    "parkwatt/v1/market_data.proto",
    "parkwatt/v1/account.proto",
    "parkwatt/v1/ledger.proto",
    "parkwatt/v1/simulation.proto",
];

/// What a retirement statement's file says, and in the same words.
const STATEMENT: [&str; 4] = ["Retirement", "RetiredSlice", "Withdrawal", "CertificateId"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("parkwatt.bin"), descriptors.encode_to_vec())?;
    let mut code = tonic_prost_build::configure();
    for message in STATEMENT {
        code = code
            .type_attribute(message, "#[derive(serde::Serialize, serde::Deserialize)]")
            .type_attribute(message, "#[serde(deny_unknown_fields)]");
    }
    code.field_attribute("Retirement.class", r#"#[serde(with = "crate::statement::class_word")]"#)
        .compile_fds(descriptors)?;
    Ok(())
}
