//! What is drawn, looked at as it stands on the canvas: curves end where they must, and each quarter hour has its own step.

use serde_json::{Value, json};

use super::devtools::{Browser, Look};

/// Returns whether something is painted at a place of a plot, which is given in what the plot's axes count.
const PAINTED: &str = "const painted = (plot, x, y, scale) => {
    const [left, top] = [plot.valToPos(x, 'x', true), plot.valToPos(y, scale, true)];
    return plot.ctx.getImageData(Math.round(left), Math.round(top), 1, 1).data; };";

/// Draws a book of one bid and one offer: what is bid for ends at its limit, and what is offered begins there.
pub fn check_curves(browser: &mut Browser) {
    let said = browser.value(&format!(
        "import('./assets/book.js').then(async ({{ Book, drawBook }}) => {{
           {PAINTED}
           const book = new Book();
           const level = (limit) => ({{ zone: 'works', limit_price_micros_per_kwh: limit, energy_wh: '10000', orders: 1 }});
           book.begin({{ bids: [level('500000')], offers: [level('800000')] }});
           drawBook({{ book, auction: {{ bids: [], offers: [] }}, phase: 'PHASE_CONTINUOUS', live: false }});
           await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
           const plot = document.querySelector('#book .plot').plot;
           return [0.495, 0.53, 0.77, 0.805].map((price) => painted(plot, price, 5.3, 'y')[3] > 0);
         }})"
    ));
    assert_eq!(said, json!([true, false, false, true]));
}

/// Looks for the price of a quarter hour that is followed by one without, and for a tariff in the day's last one.
pub fn check_steps(browser: &mut Browser) {
    let said = browser.value(&format!(
        "(async () => {{
           {PAINTED}
           const {{ plot }} = document.querySelector('#day .plot');
           const [slots, , retail, , prices] = plot.data;
           const lonely = prices.findLastIndex((price) => price !== null);
           const colour = getComputedStyle(document.documentElement).getPropertyValue('--accent').trim();
           const hex = (pixel) => '#' + [...pixel].slice(0, 3).map((it) => it.toString(16).padStart(2, '0')).join('');
           const last = slots.length - 1;
           const within = Array.from({{ length: 36 }}, (_, place) => slots[last] + 0.1 + place / 50);
           return {{
             followed: prices[lonely + 1], price: hex(painted(plot, slots[lonely] + 0.5, prices[lonely], 'price')) === colour,
             retail: within.some((at) => painted(plot, at, retail[last], 'price')[3] > 100),
           }};
         }})()"
    ));
    assert_eq!(said, json!({ "followed": null, "price": true, "retail": true }));
}

/// Draws a plot of yesterday once more while a quarter hour of today is chosen, as a change of the width can.
pub fn check_a_plot_that_is_about_to_go(browser: &mut Browser) {
    let date = browser.text("document.getElementById('day-date').value");
    browser.value("window.before = document.querySelector('#day .plot').plot");
    let ready = browser.text("document.body.dataset.ready");
    browser.value("document.getElementById('day-before').click()");
    browser.until(&format!("document.body.dataset.ready !== '{ready}'"));
    browser.value(
        "(async () => { window.before.redraw(); await new Promise((drawn) => setTimeout(drawn)); })()",
    );
    assert_eq!(browser.troubles(), [""; 0]);
    browser.value("document.getElementById('day-after').click()");
    browser.until(&format!("document.getElementById('day-date').value === '{date}'"));
    browser.until(
        "document.querySelector('#day .plot').plot.data[0].includes(Number(document.body.dataset.ready))",
    );
}

/// Says quarter hours of days on which the clocks are changed: no two are called the same.
pub fn check_changed_clocks(browser: &mut Browser) {
    let said = browser.value(
        "import('./assets/time.js').then(({ setDay, setZone, span }) => {
           setZone('Europe/Berlin');
           setDay({ slots: 100 });
           // 2026-10-25, 00:45 UTC.
           const autumn = Date.UTC(2026, 9, 25, 0, 45) / 900000;
           const said = [autumn, autumn - 3, autumn + 1].map(span);
           setDay({ slots: 92 });
           said.push(span(Date.UTC(2026, 2, 29, 0, 45) / 900000));
           setDay({ slots: 96 });
           said.push(span(autumn));
           setZone('UTC');
           return said;
         })",
    );
    let expected = [
        "02:45 UTC+2–02:00 UTC+1",
        "02:00–02:15 UTC+2",
        "02:00–02:15 UTC+1",
        "01:45 UTC+1–03:00 UTC+2",
        "02:45–02:00",
    ];
    assert_eq!(said, json!(expected));
}

/// The narrowest phone still has times under the day, and a date that the node refuses is not left standing.
pub fn check_the_narrowest(browser: &mut Browser, look: Look) {
    browser.look(Look { width: 320, ..look });
    browser.until("document.querySelector('#day .plot').plot.width < 320");
    let times = "[3, 4, 5].includes(document.querySelector('#day .plot').plot.axes[0]._splits?.length)";
    browser.until(times);
    browser.look(look);
    let date = browser.text("document.getElementById('day-date').value");
    browser.value(
        "(() => { const it = document.getElementById('day-date'); it.value = '1969-12-31';
           it.dispatchEvent(new Event('change')); })()",
    );
    browser.until("document.getElementById('trouble').innerText.includes('no day 1969-12-31')");
    assert_eq!(browser.value("document.getElementById('day-date').value"), Value::from(date));
    let refused = browser.troubles();
    assert!(refused.len() == 1 && refused[0].contains("400"), "{refused:?}");
}
