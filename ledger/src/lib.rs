//! An append-only, provable log of opaque entries.
