//! Statements of the demo's day, and of a correction in the month after it: the real node's, for every
//! participant, against the ledger's leaves.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod holds;
#[path = "../machine/mod.rs"]
mod machine;
#[path = "../node/mod.rs"]
mod node;

use std::time::Duration;

use holds::Ledger;
use machine::Machine;
use node::Place;
use parkwatt::{
    audit::verifier_of,
    demo::{Desk, Park, Step, Strategy, begins_at, node_config, write_keys},
    keys::NodeKeys,
};
use parkwatt_client::{ClientError, Column, Connection, Statement};
use parkwatt_engine::Slot;
use parkwatt_ledger::{Reader, Signatures, journal_dir};
use parkwatt_proto::v1::{
    CertificateId, Leaf, Quality, SubmitReading, TransferCertificates, WithdrawCertificate, command::Kind,
};
use prost::Message;

/// Noon of the demo's day, in quarter hours.
const NOON: usize = 48;
/// When the corrections come: in July, in Shanghai too.
const JULY: &str = "2016-07-02T00:00:00Z";

fn micros(text: &str) -> u64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond().try_into().unwrap()
}

/// Corrects what a meter showed at the end of a quarter hour: the next one measures what it had too much.
fn correction(desk: &mut Desk<'_>, seat: usize, quarter: usize, [import, export]: [u64; 2]) -> Kind {
    let point = &desk.park.points[seat];
    let mut registers = [1_000_000, 1_000_000, if point.pv_capacity_w > 0 { 1_000_000 } else { 0 }];
    for [generation, load] in &point.profile[..=quarter] {
        let measured = [load.saturating_sub(*generation), generation.saturating_sub(*load), *generation];
        for (register, wh) in registers.iter_mut().zip(measured) {
            *register += wh;
        }
    }
    let slot = Slot(desk.park.first_slot.0 + u32::try_from(quarter).unwrap());
    Kind::SubmitReading(SubmitReading {
        read_at_micros: slot.end().0,
        import_register_wh: registers[0] - import,
        export_register_wh: registers[1] - export,
        generation_register_wh: registers[2],
        // The baseline, and a reading of each quarter hour, came before.
        counter: 98,
        quality: Quality::Measured.into(),
    })
}

/// Withdraws the certificate that a seller's correction at noon contradicts, and passes on what he still
/// holds of another quarter hour.
async fn change_certificates(desk: &mut Desk<'_>, connection: &Connection, [seller, buyer]: [usize; 2]) {
    let slot = desk.park.first_slot.0 + u32::try_from(NOON).unwrap();
    let certificate = CertificateId { slot, producer: u32::try_from(seller).unwrap(), issue: 1 };
    let reason = "reading corrected".to_owned();
    let withdrawal = WithdrawCertificate { certificate: Some(certificate), reason };
    let withdrawal = desk.sign_operator(Kind::WithdrawCertificate(withdrawal));
    let day = ask(desk, connection, seller, [0, u64::MAX]).await.unwrap();
    let (slot, figures) =
        day.slots.into_iter().rfind(|(it, figures)| *it < slot && figures.held() > 0).unwrap();
    let energy_wh = u64::try_from(figures.held()).unwrap();
    let to = desk.park.points[buyer].name.clone();
    let transfer = TransferCertificates { slot, energy_wh, to };
    let transfer = desk.sign_owner(seller, Kind::TransferCertificates(transfer));
    desk.hand_in(&[withdrawal, transfer]).await.unwrap();
}

/// Asks for a statement of a seat's owner.
async fn ask(
    desk: &Desk<'_>,
    connection: &Connection,
    seat: usize,
    [from, until]: [u64; 2],
) -> Result<Statement, ClientError> {
    let session = desk.seats[seat].owner.session(desk.now_micros(), Duration::from_mins(10));
    connection.statement(&session, from, until).await
}

/// Compares a statement with what the leaves say, column by column.
#[track_caller]
fn check(statement: &Statement, ledger: &Ledger) {
    let before = ledger.holds(statement.participant, statement.from_micros);
    let after = ledger.holds(statement.participant, statement.until_micros);
    assert_eq!(statement.opening_nanos, before.balance, "{}", statement.name);
    assert_eq!(statement.closing_nanos, after.balance, "{}", statement.name);
    let paid: i128 = statement.payments.iter().map(|payment| payment.nanos).sum();
    assert_eq!(paid, after.paid - before.paid, "{}", statement.name);
    for slot in after.slots.keys() {
        let row = statement.slots.iter().find(|(row, _)| row == slot).map(|(_, figures)| *figures);
        for column in Column::ALL {
            let of = |holds: &holds::Holds| {
                holds.slots.get(slot).and_then(|its| its.get(column.name())).copied().unwrap_or_default()
            };
            let said = row.unwrap_or_default().get(column);
            assert_eq!(said, of(&after) - of(&before), "{} of {} in {slot}", column.name(), statement.name);
        }
    }
    assert!(statement.slots.iter().all(|(slot, _)| after.slots.contains_key(slot)), "{}", statement.name);
    let amounts: i128 = statement.slots.iter().map(|(_, figures)| figures.get(Column::Amount)).sum();
    assert_eq!(statement.opening_nanos + amounts + paid, statement.closing_nanos, "{}", statement.name);
}

/// Two periods that follow each other sum to the whole.
#[track_caller]
fn check_parts(parts: [&Statement; 2], whole: &Statement) {
    let [first, second] = parts;
    assert_eq!(first.figures.plus(&second.figures), whole.figures, "{}", whole.name);
    assert_eq!(first.closing_nanos, second.opening_nanos, "{}", whole.name);
    assert_eq!(
        (first.opening_nanos, second.closing_nanos),
        (whole.opening_nanos, whole.closing_nanos),
        "{}",
        whole.name
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_a_day_and_of_a_correction_in_the_next_month_are_what_the_leaves_say() {
    let (park, strategy) = (Park::read(None).unwrap(), Strategy { seed: 42 });
    let config = node_config(&park, "data".as_ref());
    let begin = jiff::Timestamp::from_microsecond(begins_at(&park).0.try_into().unwrap()).unwrap();
    let args = ["--simulated-from", &begin.to_string()];
    let place = Place::with_config(&toml::to_string(&config).unwrap(), &args);
    write_keys(&park, strategy, &place.data()).unwrap();
    let keys = NodeKeys::open(&place.data()).unwrap();
    let market = config.market.constitution(keys.operator.verifying_key().to_bytes()).unwrap();
    let mut node = place.start();
    let connection = Connection::open(&node.url()).await.unwrap();
    let mut desk = Desk::open(&park, &market, strategy, &node.url()).await.unwrap();
    for (at_seconds, step) in Step::all(park.first_slot, 1) {
        desk.step(at_seconds, step).await.unwrap();
    }

    // In July the greatest seller of June's noon fed in less than he had, and a buyer of his drew less.
    let noon = |seat: &usize| park.points[*seat].profile[NOON];
    let seller =
        (0..park.points.len()).max_by_key(|seat| noon(seat)[0].saturating_sub(noon(seat)[1])).unwrap();
    let buyer =
        (0..park.points.len()).max_by_key(|seat| noon(seat)[1].saturating_sub(noon(seat)[0])).unwrap();
    let july = micros(JULY);
    desk.advance_to(july).await.unwrap();
    let refused = desk.tally.rejections.clone();
    let fed_in = noon(&seller)[0] - noon(&seller)[1];
    let less = [(seller, [0, fed_in / 2]), (buyer, [noon(&buyer)[1] - noon(&buyer)[0], 0])];
    for (seat, wh) in less {
        let kind = correction(&mut desk, seat, NOON, wh);
        let signed = desk.sign_meter(seat, kind);
        desk.hand_in(&[signed]).await.unwrap();
    }
    change_certificates(&mut desk, &connection, [seller, buyer]).await;
    assert_eq!(desk.tally.rejections, refused, "the corrections are taken, and what follows from them");

    // A cut right at a slot's end, where its readings have not come, and one at the moment of a reading.
    let slot_end = Slot(park.first_slot.0 + 40).end().0;
    let noon_read = Slot(park.first_slot.0 + 51).end().0 + 60_000_000;
    let cuts = [0, slot_end, noon_read, july, u64::MAX];
    let mut statements = Vec::new();
    for seat in 0..park.points.len() {
        let mut of_one = Vec::new();
        for period in cuts.windows(2).map(|pair| [pair[0], pair[1]]).chain([[0, july], [0, u64::MAX]]) {
            of_one.push(ask(&desk, &connection, seat, period).await.unwrap());
        }
        statements.push(of_one);
    }
    let nothing = ask(&desk, &connection, seller, [5, 5]).await.unwrap_err();
    assert!(nothing.to_string().contains("until_micros"), "{nothing}");
    let founder = desk.operator.session(desk.now_micros(), Duration::from_mins(10));
    let founder = connection.statement(&founder, 0, 1).await.unwrap_err();
    assert!(founder.to_string().contains("no account to read"), "{founder}");

    // What the command shows: June's is as it was, and July's has the differences.
    let machine = Machine::new(&node);
    let key = place.data().join("keys").join(format!("{}.pem", park.points[seller].name));
    let of_month = |month: &str| {
        let ask = ["statement", "--month", month, "--key", key.to_str().unwrap()];
        machine.json(&ask)["statement"].clone()
    };
    let [june, july_s] = ["2016-06", "2016-07"].map(of_month);
    assert_eq!(june["total"]["gain_yuan"], yuan(statements[seller][4].figures.get(Column::Gain)));
    assert_eq!(june["closing_balance_yuan"], july_s["opening_balance_yuan"]);
    let july_s_slots = july_s["slots"].as_array().unwrap();
    let slot = july_s_slots.iter().find(|it| it["slot"] == park.first_slot.0 + 48).unwrap();
    // A certificate for what is left of the export, and one for what by this reading he consumed himself.
    assert_eq!(slot["certificates_issued_wh"], fed_in);
    assert_eq!(slot["export_wh"], -i64::try_from(fed_in / 2).unwrap());
    assert!(slot["delivered_as_seller_wh"].as_i64().unwrap() < 0, "{slot}");
    assert!(slot["deviation_yuan"].as_str().unwrap().starts_with('-'), "{slot}");
    assert_eq!((&slot["sold_wh"], &july_s["payments"]), (&0.into(), &serde_json::json!([])));
    assert!((2..=3).contains(&july_s_slots.len()), "the corrected, the next, and the transfer's: {july_s}");
    assert_eq!(node.stop().code(), Some(0), "{}", place.log());

    let dir = place.data().join("park");
    let verifier = verifier_of(&dir).unwrap();
    let groups = Reader::open(&journal_dir(&dir), &verifier, Signatures::Last).unwrap();
    let leaves = groups.flat_map(|group| group.unwrap().leaves);
    let ledger = Ledger::new(leaves.map(|leaf| Leaf::decode(leaf.as_slice()).unwrap()));
    for of_one in &statements {
        for statement in of_one {
            check(statement, &ledger);
        }
        let [morning, noon, june_s_rest, july, june, whole] = &of_one[..] else {
            panic!("six statements each")
        };
        check_parts([june, july], whole);
        let first = Statement { figures: morning.figures.plus(&noon.figures), ..june.clone() };
        let first = Statement { closing_nanos: noon.closing_nanos, ..first };
        check_parts([&first, june_s_rest], june);
    }
    let voided = |of_one: &Vec<Statement>| of_one[3].figures.get(Column::Voided);
    assert_eq!(
        statements.iter().map(voided).sum::<i128>(),
        fed_in.into(),
        "the withdrawn certificate, by holders"
    );
    let gained = |seat: usize| statements[seat][5].figures.get(Column::Gain);
    assert!(
        (0..park.points.len()).map(gained).sum::<i128>() > 0,
        "the market gained its participants something"
    );
}

/// Returns decimal yuan with nine decimals.
fn yuan(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}
