//! The page while the market moves: what is ordered and traded is there without anybody asking for it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parkwatt_proto::v1::{NewOrder, Side};
use prost::Message;
use serde_json::json;

use super::{
    devtools::{Browser, Look, installed},
    market::{LIMIT, Market, NOW_MICROS, SLOT, order, place},
};

/// A slot of the next day, whose auction is not held yet.
const AUCTION: u32 = SLOT.0 + 120;

#[tokio::test(flavor = "multi_thread")]
async fn the_book_moves_as_orders_come_and_a_trade_is_told() {
    let Some(program) = installed() else { return };
    let mut market = Market::found_with("web_listen = '127.0.0.1:0'").await;
    let said = market.node.says();
    let url = said.rsplit_once(' ').unwrap().1.to_owned();
    let [mut ann, mut bob] = [market.enrol_trader("ann").await, market.enrol_trader("bob").await];
    let mut browser = Browser::start(&program, Look { width: 1280, dark: false, language: "en-US" });
    browser.open(&url);
    browser.until("document.body.dataset.ready");
    // Nothing is traded yet, and the page says so.
    assert!(browser.text("document.getElementById('price').innerText").starts_with('–'));
    choose(&mut browser, SLOT.0);
    browser.until("document.getElementById('book-state').innerText === 'Live'");
    assert!(
        browser.text("document.getElementById('book').innerText").contains("No order stands in the book")
    );

    market.connection.submit(ann.sign(place(&[order(Side::Offer)]))).await.unwrap();
    browser.until("document.querySelectorAll('#book .scroll tbody tr').length === 1");
    browser.value("document.querySelector('#book details').open = true");
    let row = browser.text("document.querySelector('#book .scroll tbody tr').innerText");
    let limit = format!("{}.{:04}", LIMIT / 1_000_000, LIMIT % 1_000_000 / 100);
    assert!(row.contains("Offer") && row.contains(&limit), "{row}");

    let bid = NewOrder { limit_price_micros_per_kwh: 2 * LIMIT, ..order(Side::Bid) };
    market.connection.submit(bob.sign(place(std::slice::from_ref(&bid)))).await.unwrap();
    browser.until("document.querySelectorAll('#tape .scroll tbody tr').length === 1");
    browser.until("document.querySelectorAll('#book .scroll tbody tr').length === 0");
    browser.until("document.getElementById('price').innerText.startsWith('0.500')");
    assert!(browser.text("document.getElementById('said').innerText").contains(&limit));
    assert_eq!(browser.troubles(), [""; 0]);

    // Bob signs in, and what he may see ends with his session.
    let session = URL_SAFE_NO_PAD.encode(bob.session("park", 600).encode_to_vec());
    browser.open(&format!("{url}#session={session}"));
    browser.until("document.getElementById('mine-title').innerText.includes('bob')");
    browser.until("document.body.dataset.ready");
    assert_eq!(browser.text("document.getElementById('mine-bought').innerText.trim()"), "1.0 kWh");
    // His day follows his trades.
    choose(&mut browser, SLOT.0);
    browser.until("document.getElementById('book-state').innerText === 'Live'");
    market.connection.submit(ann.sign(place(&[order(Side::Offer)]))).await.unwrap();
    market.connection.submit(bob.sign(place(&[bid]))).await.unwrap();
    browser.until("document.getElementById('mine-bought').dataset.value === '2000'");
    market.connection.advance_to("", NOW_MICROS + 660_000_000).await.unwrap();
    browser.value("document.querySelector('#chooser button').click()");
    browser.until("document.getElementById('trouble').innerText.includes('Your session is over')");
    browser.until("document.getElementById('mine').hidden");
    assert_eq!(browser.value("sessionStorage.length"), serde_json::Value::from(0));
    // Only what is private was refused: what is his no more, and what only a regulator may.
    let refused = browser.troubles();
    assert!(refused.iter().all(|it| it.contains("401") || it.contains("403")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_auction_would_be_follows_its_book_and_what_could_not_be_read_is_read_later() {
    let Some(program) = installed() else { return };
    let mut market = Market::found_with("web_listen = '127.0.0.1:0'").await;
    let url = market.node.says().rsplit_once(' ').unwrap().1.to_owned();
    let [mut ann, mut bob] = [market.enrol_trader("ann").await, market.enrol_trader("bob").await];
    let mut browser = Browser::start(&program, Look { width: 1280, dark: false, language: "en-US" });
    browser.open(&url);
    browser.until("document.body.dataset.ready");
    let today = browser.text("document.getElementById('day-date').value");
    browser.value("document.getElementById('day-after').click()");
    browser.until(&format!("document.getElementById('day-date').value !== '{today}'"));
    choose(&mut browser, AUCTION);
    browser.until("document.getElementById('book-state').innerText === 'Live'");

    let later = |side| NewOrder { slot: AUCTION, ..order(side) };
    market.connection.submit(ann.sign(place(&[later(Side::Offer)]))).await.unwrap();
    browser.until("document.getElementById('auction').innerText.includes('the only order')");
    assert_eq!(browser.text("document.getElementById('auction-verdict').dataset.holds"), "true");
    let bid = NewOrder { limit_price_micros_per_kwh: 2 * LIMIT, ..later(Side::Bid) };
    market.connection.submit(bob.sign(place(&[bid]))).await.unwrap();
    browser.until("document.getElementById('auction').innerText.includes('1.0 kWh at one price')");
    browser.until("document.getElementById('auction').innerText.includes('all 2 orders')");
    assert_eq!(browser.text("document.getElementById('auction-verdict').dataset.holds"), "true");

    // Nothing can be read: what stands there still is marked as another quarter hour's, until the node is back.
    let nothing = "window.kept = fetch; window.fetch = () => Promise.reject(new TypeError('no network'));";
    browser.value(nothing);
    browser.value("document.querySelector('#chooser .range button:last-child').click()");
    browser.until("document.getElementById('trouble').innerText.includes('The node does not answer')");
    let stale = browser
        .value("[document.getElementById('main').classList.contains('waits'), document.body.dataset.ready]");
    assert_eq!(stale, json!([true, AUCTION.to_string()]));
    browser.value("window.fetch = window.kept; 0");
    browser.until(&format!("document.body.dataset.ready === '{}'", AUCTION + 1));
    browser.until("document.getElementById('trouble').hidden");
    assert_eq!(browser.value("document.getElementById('main').classList.contains('waits')"), json!(false));
    assert_eq!(browser.troubles(), [""; 0]);
}

/// Chooses a slot of the day that is shown, and waits until all about it is there.
fn choose(browser: &mut Browser, slot: u32) {
    browser.value(&format!(
        "(() => {{ const it = document.getElementById('slot'); it.value = '{slot}';
           it.dispatchEvent(new Event('input')); }})()"
    ));
    browser.until(&format!("document.body.dataset.ready === '{slot}'"));
}
