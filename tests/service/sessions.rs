//! Who reads what: sessions, and what each role may see.

use parkwatt_proto::v1::{
    GetAccountRequest, ListEntriesRequest, ListOrdersRequest, Role, Side, SignedSession,
    account_client::AccountClient, ledger_client::LedgerClient, list_entries_request::About,
};
use prost::Message;
use tonic::{Code, Request, metadata::MetadataValue};

use super::market::{Market, Person, check_refusal, order, place};

/// Returns a request that carries these bytes as its session.
fn carrying<T>(message: T, session: &[u8]) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert_bin("parkwatt-session-bin", MetadataValue::from_bytes(session));
    request
}

/// Returns a request that carries this session.
pub fn with<T>(message: T, session: &SignedSession) -> Request<T> {
    carrying(message, &session.encode_to_vec())
}

#[tokio::test]
async fn a_private_read_needs_a_session_of_this_market_that_has_not_expired() {
    let mut market = Market::found().await;
    let ann = market.enrol_trader("ann").await;
    let mut account = AccountClient::connect(market.node.url()).await.unwrap();
    let statement = account.get_account(with(GetAccountRequest {}, &ann.session("park", 900))).await.unwrap();
    assert_eq!(statement.into_inner().balance_yuan, "1000.000000000");

    let status = account.get_account(GetAccountRequest {}).await.unwrap_err();
    check_refusal(&status, Code::Unauthenticated, "SESSION_REQUIRED", "", &["carries no session"]);
    let status = account.get_account(carrying(GetAccountRequest {}, &[0xff])).await.unwrap_err();
    check_refusal(
        &status,
        Code::InvalidArgument,
        "MALFORMED",
        "parkwatt-session-bin",
        &["is no SignedSession"],
    );

    let mut forged = ann.session("park", 600);
    forged.signature[0] ^= 1;
    // A command's signature is no session's, whatever the bytes.
    let command = ann.seal(ann.session("park", 600).payload);
    let command = SignedSession {
        payload: command.payload,
        public_key: command.public_key,
        signature: command.signature,
    };
    let cases: [(SignedSession, Code, &str, &str); 8] = [
        (ann.session("park", 0), Code::Unauthenticated, "SESSION_REQUIRED", "has expired; sign a new one"),
        (ann.session("park", -600), Code::Unauthenticated, "SESSION_REQUIRED", "has expired"),
        (ann.session("park", 901), Code::Unauthenticated, "SESSION_REQUIRED", "longer than this node allows"),
        (ann.session("plaza", 600), Code::Unauthenticated, "SESSION_REQUIRED", "another market"),
        (forged, Code::Unauthenticated, "SIGNATURE_MUST_VERIFY", "does not verify"),
        (command, Code::Unauthenticated, "SIGNATURE_MUST_VERIFY", "does not verify"),
        (
            Person::new("stranger").session("park", 600),
            Code::Unauthenticated,
            "KEY_MUST_BE_ENROLLED",
            "not enrolled",
        ),
        (
            ann.meter().session("park", 600),
            Code::PermissionDenied,
            "NOT_PERMITTED",
            "a meter's key reads nothing",
        ),
    ];
    for (session, code, reason, word) in cases {
        let status = account.get_account(with(GetAccountRequest {}, &session)).await.unwrap_err();
        check_refusal(&status, code, reason, "", &[word]);
    }
    let founder = market.operator.session("park", 600);
    let status = account.get_account(with(GetAccountRequest {}, &founder)).await.unwrap_err();
    check_refusal(&status, Code::PermissionDenied, "NOT_PERMITTED", "", &["no account"]);
}

#[tokio::test]
async fn a_read_names_the_field_that_asks_for_too_much_or_for_another_market() {
    let mut market = Market::found().await;
    let ann = market.enrol_trader("ann").await;
    let mut account = AccountClient::connect(market.node.url()).await.unwrap();
    let request = ListOrdersRequest { open_only: false, count: 1_001 };
    let status = account.list_orders(with(request, &ann.session("park", 600))).await.unwrap_err();
    check_refusal(&status, Code::InvalidArgument, "MALFORMED", "count", &["count: 1001", "1000"]);
    for status in [
        market.connection.market("plaza").await.unwrap_err(),
        market.connection.depth("plaza", 1).await.unwrap_err(),
        market.connection.checkpoint("plaza").await.unwrap_err(),
    ] {
        let said = status.to_string();
        assert!(said.contains("market: 'plaza'") && said.contains("'park'"), "{said}");
    }
}

#[tokio::test]
async fn entries_are_for_operators_and_regulators_and_for_a_participant_where_they_are_about_him() {
    let mut market = Market::found().await;
    let mut ann = market.enrol_trader("ann").await;
    let eve = market.enrol_trader("eve").await;
    let regulator = market.enrol("regulator", &[Role::Regulator]).await;
    market.connection.submit(ann.sign(place(&[order(Side::Offer)]))).await.unwrap();

    let mut ledger = LedgerClient::connect(market.node.url()).await.unwrap();
    let all = ListEntriesRequest { count: 1_000, ..ListEntriesRequest::default() };
    let about_ann = ListEntriesRequest { about: Some(About::Participant(0)), ..all.clone() };
    for who in [&market.operator, &regulator] {
        let session = who.session("park", 600);
        let entries = ledger.list_entries(with(all.clone(), &session)).await.unwrap().into_inner();
        assert_eq!(entries.entries.len() as u64, market.size().await);
        assert!((0..).zip(&entries.leaf_indices).all(|(number, index)| number == *index));
        let of_ann = ledger.list_entries(with(about_ann.clone(), &session)).await.unwrap().into_inner();
        let own = ledger.list_entries(with(about_ann.clone(), &ann.session("park", 600))).await.unwrap();
        assert_eq!(own.into_inner(), of_ann);
        assert!(!of_ann.entries.is_empty());
    }
    for (who, asks) in [(&ann, &all), (&eve, &all), (&eve, &about_ann)] {
        let refused = ledger.list_entries(with(asks.clone(), &who.session("park", 600))).await;
        let words = ["regulators and operators"];
        check_refusal(&refused.unwrap_err(), Code::PermissionDenied, "NOT_PERMITTED", "", &words);
    }
    let status = ledger.list_entries(Request::new(all)).await.unwrap_err();
    check_refusal(&status, Code::Unauthenticated, "SESSION_REQUIRED", "", &["no session"]);
}
