//! What became of certificates in all histories.

use parkwatt_engine::*;

/// What must occur.
pub const MUST_OCCUR: &[&str] = &[
    "certificate issued",
    "certificate issued for own consumption",
    "certificate issued again",
    "certificate sliced",
    "certificate retired",
    "certificate transferred",
    "certificate bundled",
    "certificate expired",
    "certificate withdrawn by the operator",
    "certificate withdrawn by the market",
    "held part void",
    "claim void",
    "bundled part void",
    "expired part void",
    "national certificate",
    "national certificate void",
    "part released",
    "claim of several certificates",
    "transfer of several certificates",
    "several national certificates at once",
    "part in two national certificates",
    "withdrawn, and others issued",
    "withdrawn, and passed on again",
];

/// Counts what an event says of certificates.
pub fn note(event: &Event, mut count: impl FnMut(&'static str)) {
    match event {
        Event::CertificateIssued { class, certificate, .. } => {
            count("certificate issued");
            if *class == CertificateClass::SelfConsumed {
                count("certificate issued for own consumption");
            }
            if certificate.issue > 2 {
                count("certificate issued again");
            }
        }
        Event::CertificateSliced { .. } => count("certificate sliced"),
        Event::CertificateRetired { .. } => count("certificate retired"),
        Event::CertificateTransferred { .. } => count("certificate transferred"),
        Event::GecIssued { .. } => count("national certificate"),
        Event::CertificateBundled { .. } => count("certificate bundled"),
        Event::CertificateExpired { .. } => count("certificate expired"),
        Event::CertificateWithdrawn { reason, .. } if reason == "final settlement" => {
            count("certificate withdrawn by the market");
        }
        Event::CertificateWithdrawn { .. } => count("certificate withdrawn by the operator"),
        Event::CertificateVoided { was, .. } => count(match was {
            CertificateUse::Held => "held part void",
            CertificateUse::Retired(_) => "claim void",
            CertificateUse::Bundled(_) => "bundled part void",
            CertificateUse::Expired => "expired part void",
        }),
        Event::GecVoided { .. } => count("national certificate void"),
        Event::CertificateReleased { .. } => count("part released"),
        _ => {}
    }
}

/// Counts what the events of one command, or of one tick, say together.
pub fn note_all(events: &[Event], mut count: impl FnMut(&'static str)) {
    let number = |fits: fn(&Event) -> bool| events.iter().filter(|event| fits(event)).count();
    let withdrawn = number(|it| matches!(it, Event::CertificateWithdrawn { .. }));
    let issued = number(|it| matches!(it, Event::CertificateIssued { .. }));
    let moved = number(|it| matches!(it, Event::CertificateTransferred { .. }));
    let gecs = number(|it| matches!(it, Event::GecIssued { .. }));
    let bundled = events.iter().filter_map(|event| match event {
        Event::CertificateBundled { certificate, .. } => Some(*certificate),
        _ => None,
    });
    let bundled: Vec<CertificateId> = bundled.collect();
    for (what, occurs) in [
        ("withdrawn, and others issued", withdrawn > 0 && issued > 0),
        ("withdrawn, and passed on again", withdrawn > 0 && moved > 0),
        ("several national certificates at once", gecs > 1),
        ("part in two national certificates", bundled.windows(2).any(|pair| pair[0] == pair[1])),
        ("claim of several certificates", number(|it| matches!(it, Event::CertificateRetired { .. })) > 1),
        ("transfer of several certificates", moved > 1),
    ] {
        if occurs {
            count(what);
        }
    }
}
