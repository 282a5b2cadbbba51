//! The web page in a real browser: what it shows is what the API tells, and what it claims to verify it verifies.
//!
//! Where there is no chromium the tests say so and pass; with `PARKWATT_BROWSER` set a missing browser fails them.
//! Pictures are kept in `target/screenshots/`.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod day;
mod devtools;
mod drawn;
mod live;
#[path = "../machine/mod.rs"]
mod machine;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../service/market.rs"]
mod market;
#[path = "../node/mod.rs"]
mod node;
mod parts;
