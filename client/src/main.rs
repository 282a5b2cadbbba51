//! The command `parkwatt`.
fn main() {}
