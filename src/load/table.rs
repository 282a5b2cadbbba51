//! The figures for people.

use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use super::{
    Measured,
    run::{Loop, Run, Shape},
};

const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Returns everything as text.
pub fn text(measured: &Measured) -> String {
    let bare = &measured.bare;
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["load", "orders", "orders/s", "p50", "p99", "p99.9", "longest", "server CPU/order"]);
    table.add_rows(measured.runs.iter().map(row));
    for column in 1..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let sync = |percent| millis(bare.fdatasync_micros(percent));
    let mut text = format!(
        "A node under load, over {} connections; latency is from order to durable receipt.\n\n{table}\n\n\
         Bare, on the same machine between the runs: a write with fdatasync p50 {}, p99 {}, p99.9 {};\n\
         one verify_strict {} us. In an open loop latency counts from when a command was due.\n",
        measured.connections,
        sync(50.0),
        sync(99.0),
        sync(99.9),
        bare.verify_nanos() / 1_000
    );
    for run in &measured.runs {
        if let Some(late) = run.late_max_us.filter(|late| *late > run.p50_us) {
            let _ =
                writeln!(text, "Of {}, the generator itself was late by up to {}.", name(run), millis(late));
        }
        if run.counts.refused > 0 {
            let _ = writeln!(text, "Of {}, {} commands were refused.", name(run), run.counts.refused);
        }
    }
    text
}

fn row(run: &Run) -> Vec<String> {
    let orders = run.counts.accepted + run.counts.rejected;
    let orders = match run.counts.rejected {
        0 => orders.to_string(),
        rejected => format!("{orders} ({rejected} rejected)"),
    };
    let cpu = run
        .server_cpu_ns_per_order
        .map_or("-".into(), |nanos| format!("{}.{} us", nanos / 1_000, nanos % 1_000 / 100));
    let latencies = [run.p50_us, run.p99_us, run.p99_9_us, run.max_us].map(millis);
    let mut row = vec![name(run), orders, run.orders_per_s.to_string()];
    row.extend(latencies);
    row.push(cpu);
    row
}

fn name(run: &Run) -> String {
    let what = match run.shape {
        Shape::Single => "single orders",
        Shape::Schedule => "schedules of 96",
    };
    match run.how {
        Loop::Closed { in_flight } => format!("{what}, {in_flight} in flight"),
        Loop::Open { per_s } => format!("{what}, {per_s} commands/s"),
    }
}

fn millis(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}
