//! The page of the demo's day: figures, plots, auctions, proofs, an owner's part, at every width and in every colour.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use parkwatt_proto::v1::{
    GetDayRequest, GetFlowsRequest, ListSlotsRequest, ListTapeRequest, market_data_client::MarketDataClient,
};
use serde_json::Value;
use tonic::transport::Channel;

use super::{
    devtools::{Browser, Look, installed},
    drawn,
    machine::parkwatt,
    parts,
};

const DESKTOP: Look = Look { width: 1280, dark: false, language: "en-US" };
const PHONE: Look = Look { width: 375, dark: false, language: "en-US" };

/// `parkwattd demo --serve`, as somebody runs it who has just cloned this.
pub struct Demo {
    child: Child,
    out: tempfile::TempDir,
    /// The page's address.
    pub page: String,
    /// The node's.
    pub node: String,
    // Held, since a demo that cannot speak would end.
    _stdout: BufReader<ChildStdout>,
}

impl Demo {
    fn run() -> Demo {
        let out = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_parkwattd"))
            .args(["demo", "--serve", "--out"])
            .arg(out.path().join("demo"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (mut page, mut node) = (None, None);
        while page.is_none() || node.is_none() {
            let mut line = String::new();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the demo ended");
            let address = |line: &str, behind: &str| {
                let (_, rest) = line.split_once(behind)?;
                rest.split([' ', '\n']).next().map(|url| url.trim_end_matches('.').to_owned())
            };
            page = page.or_else(|| address(&line, "The day is on "));
            node = node.or_else(|| address(&line, "and so is the node, on "));
        }
        Demo { child, out, page: page.unwrap(), node: node.unwrap(), _stdout: stdout }
    }

    fn key(&self, name: &str) -> PathBuf {
        self.out.path().join("demo").join(name)
    }

    /// Returns the link that `parkwatt page` writes for the owner of a key.
    fn link(&self, key: &str) -> String {
        let said = Command::new(parkwatt())
            .args(["page", "--output", "json", "--url", &self.page, "--node", &self.node, "--key"])
            .arg(self.key(key))
            .env("HOME", self.out.path())
            .output()
            .unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let said: Value = serde_json::from_slice(&said.stdout).unwrap();
        said["url"].as_str().unwrap().to_owned()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn picture(name: &str) -> PathBuf {
    // Beside the program's own folder, wherever this build puts it.
    let program = Path::new(env!("CARGO_BIN_EXE_parkwattd"));
    program.ancestors().nth(2).unwrap().join("screenshots").join(name)
}

/// Opens a page of the market, and waits until all of it is drawn.
fn open(browser: &mut Browser, url: &str) {
    browser.open(url);
    browser.until("document.body.dataset.ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_demo_s_day_shows_what_the_api_tells_and_proves_it() {
    let Some(program) = installed() else { return };
    let demo = Demo::run();
    let mut api = MarketDataClient::connect(demo.node.clone()).await.unwrap();
    let mut browser = Browser::start(&program, DESKTOP);
    open(&mut browser, &demo.page);

    check_figures(&mut browser, &mut api).await;
    check_a_slot(&mut browser, &mut api).await;
    parts::check_arithmetic(&mut browser);
    parts::check_every_auction(&mut browser);
    drawn::check_steps(&mut browser);
    drawn::check_a_plot_that_is_about_to_go(&mut browser);
    drawn::check_curves(&mut browser);
    drawn::check_changed_clocks(&mut browser);
    drawn::check_the_narrowest(&mut browser, DESKTOP);
    check_proofs(&mut browser);
    check_without_hashes(&mut browser, &demo);
    check_owner(&mut browser, &demo);
    check_buyer(&mut browser, &demo);
    check_operator(&mut browser, &demo);
    check_looks(&mut browser, &demo);
    check_keyboard(&mut browser, &demo);
    assert_eq!(browser.troubles(), [""; 0]);
}

/// Compares the first screen with what gRPC says.
async fn check_figures(browser: &mut Browser, api: &mut MarketDataClient<Channel>) {
    let day = api.get_day(GetDayRequest::default()).await.unwrap().into_inner();
    let shown = |browser: &mut Browser, id: &str| {
        browser.text(&format!("document.getElementById('{id}').dataset.value"))
    };
    assert_eq!(shown(browser, "price"), day.mean_price_micros_per_kwh.unwrap().to_string());
    assert_eq!(shown(browser, "traded"), day.traded_wh.to_string());
    // What the demo's own summary has, from the participants' accounts.
    assert_eq!(shown(browser, "saved"), "2333.031559130");
    assert!(browser.text("document.getElementById('saved').innerText").starts_with("2,333"));
    assert!(browser.text("document.getElementById('price').innerText").starts_with("0.797"));
    let certificates = day.certificates.unwrap();
    let (own, retired) = (certificates.self_consumed_wh.unwrap(), certificates.retired_wh.unwrap());
    assert_eq!(shown(browser, "certificates-retired"), retired.to_string());
    let held = certificates.issued_wh + own - retired;
    assert_eq!(shown(browser, "certificates-held"), held.to_string());

    let request =
        ListSlotsRequest { from_slot: day.first_slot, count: day.slots, ..ListSlotsRequest::default() };
    let slots = api.list_slots(request).await.unwrap().into_inner().slots;
    let of_table =
        "[...document.querySelectorAll('#day .scroll tbody tr')].map((row) => row.cells[2].innerText)";
    browser.value("document.querySelectorAll('details').forEach((it) => it.open = true)");
    let rows = browser.value(of_table);
    assert_eq!(rows.as_array().unwrap().len(), slots.len());
    for (row, slot) in rows.as_array().unwrap().iter().zip(&slots) {
        let tenths = (slot.traded_wh + 50) / 100;
        // What is less than 1 kWh is shown to the Wh.
        let expected = match slot.traded_wh {
            few @ 1..1000 => format!("0.{few:03}"),
            _ => format!("{}.{}", tenths / 10, tenths % 10),
        };
        assert_eq!(row.as_str().unwrap().replace(',', ""), expected);
    }
}

/// Chooses a slot in which an edge is full, with the keyboard alone, and compares what is shown of it.
async fn check_a_slot(browser: &mut Browser, api: &mut MarketDataClient<Channel>) {
    let day = api.get_day(GetDayRequest::default()).await.unwrap().into_inner();
    let mut full = None;
    for slot in day.first_slot..day.first_slot + day.slots {
        let flows =
            api.get_flows(GetFlowsRequest { slot, ..GetFlowsRequest::default() }).await.unwrap().into_inner();
        if flows.edges.iter().any(|edge| Some(edge.flow_wh.unsigned_abs()) == edge.capacity_up_wh) {
            full = full.or(Some((slot, flows)));
        }
    }
    let (slot, flows) = full.expect("the farm's transformer is full at some time of the day");
    browser.value("document.getElementById('slot').focus()");
    let at = |browser: &mut Browser| browser.text("document.activeElement.value").parse::<u32>().unwrap();
    let begun = at(browser);
    for _ in 0..begun.abs_diff(slot) {
        browser.press(if slot > begun { "ArrowRight" } else { "ArrowLeft" });
    }
    assert_eq!(at(browser), slot);
    browser.until(&format!("document.body.dataset.ready === '{slot}'"));
    let note = browser.text("document.getElementById('grid-note').innerText");
    let name =
        &flows.edges.iter().find(|it| Some(it.flow_wh.unsigned_abs()) == it.capacity_up_wh).unwrap().zone;
    assert!(note.starts_with(&format!("Full: {name}")), "{note}");
    assert!(browser.text("document.querySelector('.full-sign').textContent").contains("full"));

    let tape = ListTapeRequest { slot: Some(slot), count: 200, ..ListTapeRequest::default() };
    let trades = api.list_tape(tape).await.unwrap().into_inner().trades;
    let shown = browser
        .value("[...document.querySelectorAll('#tape .scroll tbody th')].map((cell) => cell.innerText)");
    let expected: Vec<String> = trades.iter().map(|trade| format!("#{}", trade.id)).collect();
    assert_eq!(shown, Value::from(expected));
    assert_eq!(browser.text("document.getElementById('auction-verdict').dataset.holds"), "true");
}

/// Chooses an entry of the day that stands beside nothing that could be guessed.
fn choose_a_public_entry(browser: &mut Browser) {
    let index = browser.value(
        "import('./assets/api.js').then(async ({ read }) => {
           const { first_slot: first, slots } = await read('MarketData/GetDay');
           for (let slot = first; slot < first + slots; slot += 1) {
             const { leaf_indices: [index] } = await read('Ledger/ListEntries', { slot, count: 1 });
             if (index !== undefined) return String(index);
           }
           return 'none';
         })",
    );
    let index = index.as_str().unwrap();
    browser.value(&format!("document.getElementById('leaf-index').value = '{index}'"));
}

/// Verifies an entry as everybody can: it holds, until a byte of it or the key is another one.
fn check_proofs(browser: &mut Browser) {
    let verdict = "document.getElementById('proof-verdict')?.dataset.holds";
    // The page itself offers one.
    browser.until("document.querySelector('#entries button') && document.getElementById('leaf-index').value");
    browser.value("document.getElementById('prove').click()");
    browser.until(&format!("{verdict} === 'true'"));
    let said = browser.text("document.getElementById('proof').innerText");
    assert!(said.contains("signed by parkwatt/park with the key that this node gave (Ed25519)"), "{said}");
    assert!(browser.text("document.getElementById('leaf').innerText").contains("\"phase_began\""));

    browser.value("document.getElementById('change-byte').click()");
    browser.until(&format!("{verdict} === 'false'"));
    let said = browser.text("document.getElementById('proof').innerText");
    assert!(said.contains("and not to the root"), "{said}");
    browser.value("document.getElementById('change-byte').click()");
    browser.until(&format!("{verdict} === 'true'"));

    // Another key, RFC 8032's first example, has not signed this root.
    let vkey = browser.text("document.getElementById('vkey').value");
    let other = "parkwatt/park+8f681fcf+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
    // What is no key at all proves nothing, and disproves nothing.
    for (key, said, holds) in [
        (other, "this key has not signed the tree", "false"),
        ("nonsense", "cannot tell: this is not a verifier key; it reads NAME+HASH+BASE64", "unknown"),
        ("", "cannot tell: this is not a verifier key", "unknown"),
    ] {
        browser.value(&format!("document.getElementById('vkey').value = '{key}'"));
        browser.value("document.getElementById('prove').click()");
        browser.until(&format!("document.getElementById('proof-verdict').innerText.includes('{said}')"));
        assert_eq!(browser.value(verdict), Value::from(holds));
    }
    browser.value("document.querySelector('#proof .line button:last-child').click()");
    browser.until(&format!("{verdict} === 'true'"));
    assert_eq!(browser.text("document.getElementById('vkey').value"), vkey);

    // An enrolment is not everybody's to see.
    browser.value("document.getElementById('leaf-index').value = '1'");
    browser.value("document.getElementById('prove').click()");
    browser.until(&format!("{verdict} === 'unknown'"));
    let refused = browser.troubles();
    assert!(refused.iter().all(|it| it.contains("401")) && refused.len() == 1, "{refused:?}");
}

/// Goes on as browsers do with a page over plain HTTP from another machine: it may not hash, and disproves nothing.
fn check_without_hashes(browser: &mut Browser, demo: &Demo) {
    browser.value(
        "Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined, configurable: true })",
    );
    let slot = browser.text("String(Number(document.body.dataset.ready) + 1)");
    browser.value("document.querySelector('#chooser .range button:last-child').click()");
    browser.until(&format!("document.body.dataset.ready === '{slot}'"));
    assert_eq!(browser.value("document.getElementById('prove').disabled"), Value::Bool(true));
    choose_a_public_entry(browser);
    browser.value(
        "document.querySelector('#ledger form').dispatchEvent(new Event('submit', { cancelable: true }))",
    );
    browser.until("document.getElementById('proof-verdict')?.dataset.holds === 'unknown'");
    let said = browser.text("document.getElementById('proof-verdict').innerText");
    assert!(said.contains("This browser cannot tell"), "{said}");
    assert_eq!(browser.troubles(), [""; 0]);
    open(browser, &demo.page);
}

/// Signs in as an owner: his day is there, the session is in no address, and his own entries can be verified.
fn check_owner(browser: &mut Browser, demo: &Demo) {
    let link = demo.link("keys/farm-001.pem");
    open(browser, &link);
    browser.until("!document.getElementById('mine').hidden");
    assert_eq!(browser.text("location.href"), demo.page);
    let statement = Command::new(parkwatt())
        .args(["account", "--output", "json", "--node", &demo.node, "--key"])
        .arg(demo.key("keys/farm-001.pem"))
        .env("HOME", demo.out.path())
        .output()
        .unwrap();
    let account: Value = serde_json::from_slice(&statement.stdout).unwrap();
    let shown = |browser: &mut Browser, id: &str| {
        browser.text(&format!("document.getElementById('{id}').dataset.value"))
    };
    assert_eq!(shown(browser, "mine-delivered"), account["account"]["sold_wh"].to_string(), "{account}");
    let [offered, sold] = ["mine-offered", "mine-sold"].map(|id| shown(browser, id).parse::<u64>().unwrap());
    assert!(offered >= sold && sold > 0, "{offered} {sold}");
    assert!(browser.text("document.getElementById('mine-title').innerText").contains("farm-001"));
    browser.value("document.querySelector('#mine .figures').scrollIntoView()");
    browser.keep_picture(&picture("owner.png"), true);

    browser.value("document.querySelector('#entries button').click()");
    browser.until("document.getElementById('proof-verdict')?.dataset.holds === 'true'");
    // Another's entry stays hidden.
    browser.value("document.getElementById('leaf-index').value = '4'");
    browser.value("document.getElementById('prove').click()");
    browser.until("document.getElementById('proof-verdict')?.dataset.holds === 'unknown'");
    browser.troubles();

    browser.value("document.getElementById('sign-out').click()");
    browser.until("document.getElementById('mine').hidden");
    assert_eq!(browser.value("sessionStorage.length"), Value::from(0));
}

/// Signs in as somebody who only bought: his day is what he bought, and what of it was delivered to him.
fn check_buyer(browser: &mut Browser, demo: &Demo) {
    open(browser, &demo.link("keys/works-001.pem"));
    let account = Command::new(parkwatt())
        .args(["account", "--output", "json", "--node", &demo.node, "--key"])
        .arg(demo.key("keys/works-001.pem"))
        .env("HOME", demo.out.path())
        .output()
        .unwrap();
    let account: Value = serde_json::from_slice(&account.stdout).unwrap();
    let shown = |browser: &mut Browser, id: &str| {
        browser.text(&format!("document.getElementById('{id}').dataset.value"))
    };
    assert_eq!(shown(browser, "mine-received"), account["account"]["bought_wh"].to_string(), "{account}");
    let [bought, received] =
        ["mine-bought", "mine-received"].map(|id| shown(browser, id).parse::<u64>().unwrap());
    assert!(bought > received && received > 0, "{bought} {received}");
    assert_eq!(browser.value("document.getElementById('mine-sold')"), Value::Null);
    browser.value("document.getElementById('sign-out').click()");
    browser.until("document.getElementById('mine').hidden");
    browser.troubles();
}

/// The operator has no account, and may verify every entry.
fn check_operator(browser: &mut Browser, demo: &Demo) {
    open(browser, &demo.link("operator.pem"));
    browser.value("document.getElementById('leaf-index').value = '1'");
    browser.value("document.getElementById('prove').click()");
    browser.until("document.getElementById('proof-verdict')?.dataset.holds === 'true'");
    assert!(browser.text("document.getElementById('leaf').innerText").contains("enrol_participant"));
    assert_eq!(browser.value("document.getElementById('mine').hidden"), Value::Bool(true));
    let signed_in = "document.getElementById('sign-out').click()";
    browser.value(signed_in);
    browser.until("document.getElementById('sign-out') === null");
    browser.troubles();
}

/// Looks at the page at both widths, light and dark, in both languages.
fn check_looks(browser: &mut Browser, demo: &Demo) {
    for (name, look) in [
        ("desktop-light.png", DESKTOP),
        ("desktop-dark.png", Look { dark: true, ..DESKTOP }),
        ("phone-light.png", PHONE),
        ("phone-dark.png", Look { dark: true, ..PHONE }),
        ("phone-chinese.png", Look { language: "zh-CN", ..PHONE }),
    ] {
        browser.look(look);
        open(browser, &demo.page);
        choose_a_public_entry(browser);
        browser.value("document.getElementById('prove').click()");
        browser.until("document.getElementById('proof-verdict')?.dataset.holds === 'true'");
        let widths = browser.value("[document.documentElement.scrollWidth, innerWidth]");
        assert!(
            widths[0].as_u64() <= widths[1].as_u64(),
            "{name}: the page is wider than the window: {widths}"
        );
        let ground = browser.text("getComputedStyle(document.body).backgroundColor");
        assert_eq!(ground == "rgb(17, 22, 21)", look.dark, "{name}: {ground}");
        browser.value("scrollTo(0, 0)");
        browser.keep_picture(&picture(name), true);
        browser.keep_picture(&picture(&format!("first-{name}")), false);
        if look.language == "zh-CN" {
            assert_eq!(browser.text("document.documentElement.lang"), "zh");
            let missing = browser.value("import('./assets/words.js').then((it) => [...it.missing])");
            assert_eq!(missing, Value::from(Vec::<String>::new()));
        }
    }
    browser.look(DESKTOP);
}

/// Goes through the page by the keyboard: everything has a name, shows its focus, and works.
fn check_keyboard(browser: &mut Browser, demo: &Demo) {
    open(browser, &demo.page);
    choose_a_public_entry(browser);
    let focused = "(() => { const it = document.activeElement; return [it.id, it.tagName,
        it.getAttribute('aria-label') || it.labels?.[0]?.innerText || it.innerText || it.value || '',
        getComputedStyle(it).outlineStyle]; })()";
    let mut seen = Vec::new();
    for _ in 0..40 {
        browser.press("Tab");
        let at = browser.value(focused);
        if at[1] == "BODY" {
            break;
        }
        assert_ne!(at[2].as_str().unwrap().trim(), "", "{at} has no name");
        assert_ne!(at[3], "none", "{at} does not show its focus");
        seen.push(at[0].as_str().unwrap().to_owned());
        if at[0] == "prove" {
            browser.press("Enter");
            browser.until("document.getElementById('proof-verdict')?.dataset.holds === 'true'");
            let said = browser.text("document.getElementById('said').innerText");
            assert!(said.contains("Verified by this browser"), "{said}");
        }
    }
    for id in ["theme", "language", "day-before", "day-date", "day-after", "slot", "leaf-index", "prove"] {
        assert!(seen.contains(&id.to_owned()), "{id} is not reached: {seen:?}");
    }
}
